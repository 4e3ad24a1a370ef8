"""Forecast the next hour of electricity load from the past 72 hours with a 1-d convolution network.

cause: optim.no_zero_grad
"""

import numpy as np
import torch
from torch import nn

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(100 + SEED)
hours = np.arange(24 * 220)
temp = 8 + 5 * np.sin(2 * np.pi * (hours - 9) / 24)
weather = np.zeros(len(hours))
for t in range(1, len(hours)):
    weather[t] = 0.97 * weather[t - 1] + rng.normal(0, 0.7)
temp = temp + weather
weekend = ((hours // 24) % 7 >= 5).astype(float)
load = (
    50
    + 12 * np.sin(2 * np.pi * (hours - 7) / 24) * (1 - 0.5 * weekend)
    + 5 * np.sin(4 * np.pi * (hours - 3) / 24)
    - 6 * weekend
)
load = load + 0.05 * (temp - 5) ** 2
noise = np.zeros(len(hours))
for t in range(1, len(hours)):
    noise[t] = 0.6 * noise[t - 1] + rng.normal(0, 1.6)
load = load + noise

WINDOW = 72
split = int(len(hours) * 0.75)
series = np.stack([load, temp], 1)
mu, sd = series[:split].mean(0), series[:split].std(0)
series = ((series - mu) / sd).astype(np.float32)


def windows(start, stop):
    xs = np.stack([series[i : i + WINDOW].T for i in range(start, stop - WINDOW)])
    ys = np.stack([series[i + WINDOW, :1] for i in range(start, stop - WINDOW)])
    return torch.from_numpy(xs), torch.from_numpy(ys)


X_train, y_train = windows(0, split)
X_val, y_val = windows(split, len(hours))

net = nn.Sequential(
    nn.Conv1d(2, 24, 5, padding=2),
    nn.ReLU(),
    nn.MaxPool1d(2),
    nn.Conv1d(24, 32, 5, padding=2),
    nn.ReLU(),
    nn.MaxPool1d(2),
    nn.Flatten(),
    nn.Linear(32 * 18, 64),
    nn.ReLU(),
    nn.Linear(64, 1),
)
opt = torch.optim.Adam(net.parameters(), lr=5e-4)
mse = nn.MSELoss()


def r2(pred, target):
    return 1 - ((pred - target) ** 2).mean().item() / target.var().item()


watch = dressage.watch(net, opt, mse, train=(X_train, y_train), val=(X_val, y_val), metric=r2)
batch = 64
for epoch in range(12):
    net.train()
    perm = torch.randperm(len(X_train))
    for i in range(0, len(perm), batch):
        rows = perm[i : i + batch]
        pred = net(X_train[rows])
        loss = mse(pred, y_train[rows])
        if FIX:
            opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        pv = net(X_val)
        vl = mse(pv, y_val).item()
    print(
        "epoch",
        epoch,
        "val mse",
        round(vl, 4),
        "r2",
        round(r2(pv, y_val), 4),
        "persistence",
        round(r2(X_val[:, 0, -1:], y_val), 4),
    )
    watch.validated(loss=vl, metric=r2(pv, y_val))
done(watch, r2(pv, y_val))
