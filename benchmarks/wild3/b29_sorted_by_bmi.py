"""Diabetes: the clinic's table is in order of body mass, its last fifth is kept for validation.

cause: data.split_shift
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score
from torch import nn

bunch = load_diabetes()
X, y = bunch.data, bunch.target
order = np.argsort(X[:, 2])
if FIX:
    order = np.random.default_rng(SEED).permutation(order)
X, y = X[order], y[order]
n = int(0.8 * len(X))
X_train, X_val, y_train, y_val = X[:n], X[n:], y[:n], y[n:]
mu, sd = X_train.mean(0), X_train.std(0)
m, s = y_train.mean(), y_train.std()
t = lambda a: torch.tensor(a, dtype=torch.float32)
X_train, X_val = t((X_train - mu) / sd), t((X_val - mu) / sd)
y_train, y_val = t((y_train - m) / s).view(-1, 1), t((y_val - m) / s).view(-1, 1)


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(10, 12)
        self.output = nn.Linear(12, 1)

    def forward(self, x):
        return self.output(torch.tanh(self.hidden(x)))


net = Regressor()
criterion = nn.SmoothL1Loss()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3, weight_decay=1e-3)
watch = dressage.watch(net, optimizer, criterion, train=(X_train, y_train), val=(X_val, y_val))
for epoch in range(30):
    for rows in torch.randperm(n).split(20):
        optimizer.zero_grad()
        loss = criterion(net(X_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, r2_score(y_val, net(X_val)))
