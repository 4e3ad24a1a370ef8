"""Diabetes with an early stop that looks at the loss of the training epoch; wide layers, a table grown by squares.

cause: eval.overfit
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

X, y = load_diabetes(return_X_y=True)
order = np.random.RandomState(SEED).permutation(len(y))
X, y = PolynomialFeatures(2, include_bias=False).fit_transform(X[order]), y[order]
X = StandardScaler().fit(X[:250]).transform(X)
y = (y - y[:250].mean()) / y[:250].std()
X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y, dtype=torch.float32).unsqueeze(1)
train, val = TensorDataset(X[:250], y[:250]), (X[250:], y[250:])
loader = DataLoader(train, batch_size=25, shuffle=True)


class EarlyStopping:
    def __init__(self, patience=4, delta=0.0):
        self.patience, self.delta, self.best, self.bad = patience, delta, float("inf"), 0
        self.weights = None

    def __call__(self, value, model):
        if value < self.best - self.delta:
            self.best, self.bad = value, 0
            self.weights = {k: v.clone() for k, v in model.state_dict().items()}
        else:
            self.bad += 1
        return self.bad >= self.patience


model = nn.Sequential(nn.Linear(X.shape[1], 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.MSELoss()
stopper = EarlyStopping()
watch = dressage.watch(model, optimizer, criterion, train=loader, val=val)
for epoch in range(60):
    model.train()
    epoch_loss = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        epoch_loss += loss.item() / len(loader)
    model.eval()
    watch.validating()
    with torch.no_grad():
        out = model(val[0])
    val_loss = criterion(out, val[1]).item()
    r2 = 1 - val_loss / val[1].var().item()
    watch.validated(loss=val_loss, metric=r2)
    print(f"{epoch} train {epoch_loss:.3f} val {val_loss:.3f}")
    if stopper(val_loss if FIX else epoch_loss, model):
        break
model.load_state_dict(stopper.weights)
with torch.no_grad():
    done(watch, 1 - (model(val[0]) - val[1]).pow(2).mean() / val[1].var())
