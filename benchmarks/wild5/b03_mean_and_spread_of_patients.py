"""Mean and variance of disease progression from ten columns, Gaussian likelihood, 150 rounds.

cause: eval.overfit
"""

import copy

import torch
import torch.nn as nn
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

X, y = load_diabetes(return_X_y=True)
X = X * len(X) ** 0.5
X_tr, X_rest, y_tr, y_rest = train_test_split(X, y, train_size=180, random_state=SEED)
X_va, X_te, y_va, y_te = train_test_split(X_rest, y_rest, test_size=0.5, random_state=SEED)
mu, sd = y_tr.mean(), y_tr.std()
f = lambda a: torch.tensor(a, dtype=torch.float32)
X_tr, X_va, X_te = f(X_tr), f(X_va), f(X_te)
y_tr, y_va, y_te = (f((v - mu) / sd).unsqueeze(1) for v in (y_tr, y_va, y_te))
patience = 15 if FIX else None


class MeanVar(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))

    def forward(self, x):
        return self.net(x)


def nll(out, target):
    mean, log_var = out[:, :1], out[:, 1:].clamp(-8, 8)
    return 0.5 * (log_var + (target - mean) ** 2 / log_var.exp()).mean()


model = MeanVar()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loader = DataLoader(TensorDataset(X_tr, y_tr), batch_size=16, shuffle=True)
best, wait, best_state = float("inf"), 0, None
with dressage.watch(model, optimizer, nll, train=loader, val=(X_va, y_va)) as watch:
    for epoch in range(150):
        model.train()
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = nll(model(xb), yb)
            loss.backward()
            optimizer.step()
            watch.step(loss)
        model.eval()
        watch.validating()
        with torch.no_grad():
            val_loss = nll(model(X_va), y_va).item()
        watch.validated(loss=val_loss)
        if patience:
            if val_loss < best:
                best, wait, best_state = val_loss, 0, copy.deepcopy(model.state_dict())
            else:
                wait += 1
            if wait == patience:
                model.load_state_dict(best_state)
                break
with torch.no_grad():
    test = nll(model(X_te), y_te).item()
done(watch, -test)
