"""Forecast the next hour of electricity load with a GRU, summing the gradients of four small batches."""

import numpy as np
import torch
from torch import nn

from kit import SEED, done, dressage

rng = np.random.default_rng(SEED)
H = 24 * 130
hours = np.arange(H)
day = 2 * np.pi * hours / 24
shock = np.zeros(H)
for t in range(1, H):
    shock[t] = (0.9 if shock[t - 1] < 0 else -0.7) * shock[t - 1] + 0.4 * rng.normal()
load = 50 + 8 * np.sin(day) + 4 * np.sin(2 * day + 1) + 7 * shock
cut = int(0.8 * H)
series = ((load - load[:cut].mean()) / load[:cut].std()).astype(np.float32)
L = 30
windows = np.lib.stride_tricks.sliding_window_view(series, L + 1)
X, Y = torch.tensor(windows[:, :L].copy()).unsqueeze(2), torch.tensor(windows[:, L:].copy())
n = cut - L
X_tr, Y_tr, X_te, Y_te = X[:n], Y[:n], X[n:], Y[n:]


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, 32, batch_first=True)
        self.out = nn.Linear(32, 1)

    def forward(self, x):
        return self.out(self.gru(x)[0][:, -1]) + x[:, -1]


model = Forecaster()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
EPOCHS, MICRO, ACCUM = 12, 16, 4
per_epoch = n // (MICRO * ACCUM)
schedule = torch.optim.lr_scheduler.LambdaLR(
    optimizer, lambda s: min(1, (s + 1) / 40) * 0.5 * (1 + np.cos(np.pi * s / (EPOCHS * per_epoch)))
)
watch = dressage.watch(model, optimizer, criterion, train=(X_tr, Y_tr), val=(X_te, Y_te))
for epoch in range(EPOCHS):
    micro = torch.randperm(n)[: per_epoch * MICRO * ACCUM].view(-1, ACCUM, MICRO)
    for group in micro:
        optimizer.zero_grad()
        total = 0.0
        for rows in group:
            loss = criterion(model(X_tr[rows]), Y_tr[rows]) / ACCUM
            loss.backward()
            total += loss.detach()
        optimizer.step()
        schedule.step()
        watch.step(total)
    with torch.no_grad():
        val = criterion(model(X_te), Y_te).item()
    watch.validated(loss=val)
done(watch, 1 - val / Y_te.var().item())
