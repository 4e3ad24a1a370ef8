"""Predict how diabetes progresses within a year from ten measurements.

cause: eval.overfit
"""

import copy

import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from torch import nn

from kit import FIX, SEED, done, dressage

X, y = load_diabetes(return_X_y=True)
X_rest, X_test, y_rest, y_test = train_test_split(X, y, test_size=0.25, random_state=SEED)
X_tr, X_va, y_tr, y_va = train_test_split(X_rest, y_rest, test_size=0.2, random_state=SEED)
mu, sd, my, sy = X_tr.mean(0), X_tr.std(0), y_tr.mean(), y_tr.std()
prep = lambda a: torch.tensor((a - mu) / sd, dtype=torch.float32)
prep_y = lambda a: torch.tensor((a - my) / sy, dtype=torch.float32).view(-1, 1)
X_tr, X_va, X_test = prep(X_tr), prep(X_va), prep(X_test)
y_tr, y_va, y_test = prep_y(y_tr), prep_y(y_va), prep_y(y_test)

model = nn.Sequential(nn.Linear(10, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1))
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
mse = nn.MSELoss()


def r2(pred, target):
    return 1 - ((pred - target) ** 2).mean().item() / target.var(unbiased=False).item()


watch = dressage.watch(model, opt, mse, train=(X_tr, y_tr), val=(X_va, y_va), metric=r2)
best, best_state, patience = 1e9, None, 0
for epoch in range(250):
    model.train()
    order = torch.randperm(len(X_tr))
    for i in range(0, len(order), 32):
        rows = order[i : i + 32]
        opt.zero_grad()
        loss = mse(model(X_tr[rows]), y_tr[rows])
        loss.backward()
        opt.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(X_va)
        val = mse(out, y_va).item()
    watch.validated(loss=val, metric=r2(out, y_va))
    if FIX:
        if val < best:
            best, best_state, patience = val, copy.deepcopy(model.state_dict()), 0
        else:
            patience += 1
        if patience > 5:
            break

if best_state is not None:
    model.load_state_dict(best_state)
with torch.no_grad():
    done(watch, r2(model(X_test), y_test))
