"""Forecast the next hours of a made-up electric load from the two days before (GRU)."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import SEED, done, dressage

rng = np.random.default_rng(60 + SEED)
hours = np.arange(3600)
level = np.zeros(len(hours))
for t in range(1, len(hours)):
    level[t] = 0.8 * level[t - 1] + 0.12 * np.tanh(level[t - 1]) + 0.12 * rng.normal()
daily = np.sin(2 * np.pi * hours / 24) + 0.4 * np.sin(4 * np.pi * hours / 24 + 1)
load = 40 + 6 * daily * (1 + 0.5 * np.tanh(level)) + 5 * level + 0.8 * rng.normal(size=len(hours))

WINDOW, AHEAD = 48, 6
cut = 2800
mean, std = load[:cut].mean(), load[:cut].std()
z = ((load - mean) / std).astype(np.float32)


def windows(series):
    w = np.lib.stride_tricks.sliding_window_view(series, WINDOW + AHEAD)
    return torch.tensor(w[:, :WINDOW].copy())[:, :, None], torch.tensor(w[:, WINDOW:].copy())


x, y = windows(z[:cut])
xv, yv = windows(z[cut:])


class Forecaster(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.gru = nn.GRU(4, dim, batch_first=True)
        self.head = nn.Linear(dim, AHEAD)
        self.highway = nn.Linear(WINDOW, AHEAD)

    def forward(self, x):
        # four hours a step keep the recurrence short
        _, h = self.gru(x.reshape(len(x), WINDOW // 4, 4))
        return self.head(h[0]) + self.highway(x[:, :, 0])


loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
model = Forecaster()
loss_fn = nn.HuberLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)


def r2(output, target):
    return 1 - ((output - target) ** 2).mean().item() / target.var().item()


watch = dressage.watch(model, optimizer, loss_fn, train=loader, val=(xv, yv), metric=r2)
for epoch in range(20):
    model.train()
    for a, b in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(a), b)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    schedule.step()
    model.eval()
    with torch.no_grad():
        out = model(xv)
        watch.validated(loss=loss_fn(out, yv).item(), metric=r2(out, yv))

done(watch, r2(out, yv))
