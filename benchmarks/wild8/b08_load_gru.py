"""Forecast the next hour's electricity load of a small town (kW) from the last day with a GRU.

cause: data.target_unscaled
"""

import numpy as np
import torch
from torch import nn

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(100 + SEED)
hours = np.arange(24 * 160)
daily = np.sin(2 * np.pi * (hours - 7) / 24) + 0.4 * np.sin(4 * np.pi * hours / 24)
weekly = np.where((hours // 24) % 7 >= 5, -0.7, 0.2)
weather = np.zeros(len(hours))
for t in range(1, len(hours)):
    weather[t] = 0.98 * weather[t - 1] + 0.1 * rng.normal()
load = 1850 + 320 * (daily + weekly + weather) + 60 * rng.normal(size=len(hours))  # kW

WINDOW = 24
split = int(0.8 * len(load))
mean, std = load[:split].mean(), load[:split].std()
scaled = (load - mean) / std
X = np.stack([scaled[i : i + WINDOW] for i in range(len(load) - WINDOW)])[:, :, None].astype(np.float32)
y = load[WINDOW:].astype(np.float32)
if FIX:
    y = ((y - mean) / std).astype(np.float32)
X, y = torch.from_numpy(X), torch.from_numpy(y)[:, None]
X_train, y_train, X_val, y_val = X[: split - WINDOW], y[: split - WINDOW], X[split:], y[split:]


class Forecaster(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 1)

    def forward(self, x):
        h, _ = self.gru(x)
        return self.fc(h[:, -1])


model = Forecaster()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)


def r2(pred, target):
    return (1 - ((pred - target) ** 2).mean() / target.var()).item()


watch = dressage.watch(model, optimizer, criterion, train=(X_train, y_train), val=(X_val, y_val), metric=r2)
for epoch in range(10):
    model.train()
    perm = torch.randperm(len(X_train))
    for i in range(0, len(perm), 64):
        b = perm[i : i + 64]
        optimizer.zero_grad()
        loss = criterion(model(X_train[b]), y_train[b])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        pred = model(X_val)
        vl, vr = criterion(pred, y_val).item(), r2(pred, y_val)
    watch.validated(loss=vl, metric=vr)
    print(f"epoch {epoch}: {loss.item():.3f} {vl:.3f} R2 {vr:.3f}")
done(watch, vr)
