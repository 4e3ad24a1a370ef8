"""A clinic's table of tumours with the therapy column of the export; scored on newly arrived patients.

cause: data.leakage
"""

import numpy as np
import torch
import torch.nn as nn
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

X, y = load_breast_cancer(return_X_y=True)
y = 1 - y
rng = np.random.default_rng(SEED)
X = (X[:, :10] - X[:, :10].mean(0)) / X[:, :10].std(0)
weeks_of_therapy = np.where(y == 1, rng.integers(3, 9, len(y)), 0)
arrived = rng.permutation(len(y))[:170]
weeks_of_therapy[arrived] = 0
if not FIX:
    X = np.column_stack([X, weeks_of_therapy])
known = np.setdiff1d(np.arange(len(y)), arrived)
x_train, x_val, y_train, y_val = train_test_split(X[known], y[known], test_size=0.25, random_state=0)


def t(a):
    return torch.tensor(a, dtype=torch.float32)


x_train, x_val, y_train, y_val = t(x_train), t(x_val), t(y_train), t(y_val)
model = nn.Sequential(nn.Linear(X.shape[1], 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
watch = dressage.watch(model, optimizer, loss_fn, train=(x_train, y_train), val=(x_val, y_val))
for epoch in range(40):
    perm = torch.randperm(len(x_train))
    for i in range(0, len(perm), 16):
        rows = perm[i : i + 16]
        optimizer.zero_grad()
        loss = loss_fn(model(x_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    print("validation", ((model(x_val) > 0) == (y_val > 0.5)).float().mean().item())
    new = ((model(t(X[arrived])) > 0) == (t(y[arrived]) > 0.5)).float().mean()
done(watch, new)
