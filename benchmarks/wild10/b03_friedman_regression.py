"""Fit the Friedman function of ten measurements with a multilayer perceptron.

cause: loss.shape_broadcast
"""

import numpy as np
import torch
from sklearn.datasets import make_friedman1
from sklearn.metrics import r2_score
from torch import nn
from torch.utils.data import DataLoader, Dataset

from kit import FIX, SEED, done, dressage


class Measurements(Dataset):
    def __init__(self, x, y):
        self.x = x.astype(np.float32)
        self.y = y.astype(np.float32)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i : i + 1] if FIX else self.y[i]


x, y = make_friedman1(n_samples=2400, noise=0.6, random_state=10 + SEED)
x = (x - 0.5) / 0.29
mean, std = y[:1800].mean(), y[:1800].std()
y = (y - mean) / std
train_set, val_set = Measurements(x[:1800], y[:1800]), Measurements(x[1800:], y[1800:])
train_loader = DataLoader(train_set, batch_size=40, shuffle=True)
val_loader = DataLoader(val_set, batch_size=200)

net = nn.Sequential(nn.Linear(10, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1))
opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
mse = nn.MSELoss()
watch = dressage.watch(net, opt, mse, train=train_loader, val=val_loader)

for epoch in range(20):
    net.train()
    for xb, yb in train_loader:
        loss = mse(net(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        losses, preds = [], []
        for xb, yb in val_loader:
            out = net(xb)
            losses.append(mse(out, yb).item())
            preds.append(out.numpy().ravel())
    watch.validated(loss=float(np.mean(losses)))

done(watch, r2_score(y[1800:], np.concatenate(preds)))
