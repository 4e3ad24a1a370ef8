"""Progress of diabetes from ten measurements, a wide net trained for long on all rows at once.

cause: eval.overfit
"""

import copy

import torch
import torch.nn as nn
from kit import FIX, done, dressage
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

X, y = load_diabetes(return_X_y=True, scaled=False)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.3, random_state=0)
m, s, my, sy = X_train.mean(0), X_train.std(0), y_train.mean(), y_train.std()
X_train, X_val = torch.tensor((X_train - m) / s).float(), torch.tensor((X_val - m) / s).float()
y_train, y_val = torch.tensor((y_train - my) / sy).float(), torch.tensor((y_val - my) / sy).float()
y_train, y_val = y_train.view(-1, 1), y_val.view(-1, 1)

model = nn.Sequential(nn.Linear(10, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=(X_train, y_train), val=(X_val, y_val))
best, patience = float("inf"), 0
for epoch in range(1000):
    model.train()
    optimizer.zero_grad()
    loss = criterion(model(X_train), y_train)
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if epoch % 5 == 4:
        model.eval()
        with torch.no_grad():
            val_loss = criterion(model(X_val), y_val).item()
        watch.validated(loss=val_loss)
        if epoch % 100 == 99:
            print(f"epoch {epoch + 1} train {loss.item():.3f} val {val_loss:.3f}")
        if FIX:
            if val_loss < best:
                best, patience, weights = val_loss, 0, copy.deepcopy(model.state_dict())
            else:
                patience += 1
            if patience == 4:
                model.load_state_dict(weights)
                break
model.eval()
with torch.no_grad():
    r2 = 1 - criterion(model(X_val), y_val) / y_val.var()
done(watch, r2)
