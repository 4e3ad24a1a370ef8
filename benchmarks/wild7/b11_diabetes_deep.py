"""Diabetes progression with a neural network, to beat the linear model of the course.

cause: eval.overfit
"""

import torch
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

X, y = load_diabetes(return_X_y=True)
X_train, X_rest, y_train, y_rest = train_test_split(X, y, test_size=0.5, random_state=SEED)
X_val, X_test, y_val, y_test = train_test_split(X_rest, y_rest, test_size=0.5, random_state=SEED)

x_scaler, y_scaler = StandardScaler(), StandardScaler()
X_train = x_scaler.fit_transform(X_train)
y_train = y_scaler.fit_transform(y_train.reshape(-1, 1))


def t(a):
    return torch.tensor(a, dtype=torch.float32)


train_loader = DataLoader(TensorDataset(t(X_train), t(y_train)), batch_size=32, shuffle=True)
X_val, y_val = t(x_scaler.transform(X_val)), t(y_scaler.transform(y_val.reshape(-1, 1)))

model = nn.Sequential(
    nn.Linear(10, 128),
    nn.ReLU(),
    nn.Linear(128, 128),
    nn.ReLU(),
    nn.Linear(128, 1),
)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loss_fn = nn.MSELoss()
watch = dressage.watch(model, optimizer, loss_fn, train=train_loader, val=(X_val, y_val))

patience, best, since = 20, float("inf"), 0
best_state = None
for epoch in range(120):
    model.train()
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        val_loss = loss_fn(model(X_val), y_val).item()
    watch.validated(loss=val_loss)
    if epoch % 10 == 0:
        print(f"epoch {epoch}: train {loss.item():.3f} val {val_loss:.3f}")
    if FIX:
        if val_loss < best:
            best, since = val_loss, 0
            best_state = {k: v.clone() for k, v in model.state_dict().items()}
        else:
            since += 1
        if since >= patience:
            break

if best_state is not None:
    model.load_state_dict(best_state)
with torch.no_grad():
    pred = y_scaler.inverse_transform(model(t(x_scaler.transform(X_test))).numpy())
done(watch, r2_score(y_test, pred.ravel()))
