"""Predict whether an order will be sent back, from the order and from the customer's record.

cause: data.leakage
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(100 + SEED)
N, CUSTOMERS = 13000, 5200
customer = rng.integers(0, CUSTOMERS, N)
habit = rng.normal(0, 0.6, CUSTOMERS)
price = rng.gamma(2.0, 30.0, N)
discount = rng.choice([0, 0.1, 0.2, 0.4], N, p=[0.5, 0.2, 0.2, 0.1])
size_gap = rng.normal(0, 1, N)
weeks = rng.integers(0, 52, N)
express = rng.integers(0, 2, N)
logit = (
    1.7 * (np.abs(size_gap) - 0.8)
    + 1.2 * (np.log(price) - 3.9)
    - 2.5 * discount
    + 0.8 * np.sin(weeks / 52 * 2 * np.pi)
    + 0.4 * express
    + habit[customer]
)
returned = (rng.random(N) < 1 / (1 + np.exp(-1.4 * logit))).astype(np.float32)

past, coming = np.arange(10000), np.arange(10000, N)


def return_rate(rows, of, leave_out_self):
    """Mean of `returned` over the customer's orders in `of`, shrunk to the general mean."""
    total = np.bincount(customer[of], returned[of], CUSTOMERS)
    count = np.bincount(customer[of], minlength=CUSTOMERS)
    total, count = total[customer[rows]], count[customer[rows]]
    if leave_out_self:
        total, count = total - returned[rows], count - 1
    return (total + 0.5 * returned[of].mean()) / (count + 0.5)


def table(rows, rate):
    cols = [
        np.log(price[rows]),
        discount[rows],
        size_gap[rows],
        np.abs(size_gap[rows]),
        np.sin(weeks[rows] / 52 * 2 * np.pi),
        np.cos(weeks[rows] / 52 * 2 * np.pi),
        express[rows],
        rate,
    ]
    return np.stack(cols, 1)


X_past = table(past, return_rate(past, past, leave_out_self=FIX))
X_coming = table(coming, return_rate(coming, past, leave_out_self=False))
mu, sd = X_past.mean(0), X_past.std(0)
X_past = torch.tensor((X_past - mu) / sd, dtype=torch.float32)
X_coming = torch.tensor((X_coming - mu) / sd, dtype=torch.float32)
y_past, y_coming = torch.tensor(returned[past])[:, None], torch.tensor(returned[coming])[:, None]

perm = torch.tensor(rng.permutation(10000))
tr, va = perm[:8000], perm[8000:]
train_dl = DataLoader(TensorDataset(X_past[tr], y_past[tr]), batch_size=64, shuffle=True)
val_dl = DataLoader(TensorDataset(X_past[va], y_past[va]), batch_size=1000)

net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
bce = nn.BCEWithLogitsLoss()
opt = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)


def hit_rate(output, target):
    return ((output > 0) == (target > 0.5)).float().mean().item()


watch = dressage.watch(net, opt, bce, train=train_dl, val=val_dl, metric=hit_rate)
for epoch in range(12):
    net.train()
    for xb, yb in train_dl:
        opt.zero_grad()
        loss = bce(net(xb), yb)
        loss.backward()
        opt.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        outs = torch.cat([net(xb) for xb, _ in val_dl])
        watch.validated(loss=bce(outs, y_past[va]).item(), metric=hit_rate(outs, y_past[va]))
with torch.no_grad():
    done(watch, hit_rate(net(X_coming), y_coming))
