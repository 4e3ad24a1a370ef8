"""Forecast the load of a growing network for the next 12 hours from the last 48.

cause: data.split_shift
"""

import numpy as np
import torch
from torch import nn

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(SEED + 20)
n = 3600
t = np.arange(n)
trend = 30 + 0.012 * t + 8 * (t / n) ** 2
noise = np.zeros(n)
for k in range(1, n):
    noise[k] = 0.8 * noise[k - 1] + rng.normal(0, 0.8)
series = trend + (4 + 0.0006 * t) * np.sin(2 * np.pi * t / 24) + 2 * np.sin(2 * np.pi * t / 168) + noise
PAST, AHEAD = 48, 12
cut = 2500
mean, std = series[:cut].mean(), series[:cut].std()
z = torch.tensor((series - mean) / std, dtype=torch.float32)
w = z.unfold(0, PAST + AHEAD, 1)
past, ahead = w[:, :PAST], w[:, PAST:]
level = past[:, -24:].mean(1, keepdim=True) if FIX else torch.zeros(len(w), 1)
a, b = cut - PAST - AHEAD, cut
xtr, ytr, xva, yva = (past - level)[:a], (ahead - level)[:a], (past - level)[b:], (ahead - level)[b:]


class Forecaster(nn.Module):
    def __init__(self, h=48):
        super().__init__()
        self.day = nn.Conv1d(1, 24, 6, stride=6)
        self.gru = nn.GRU(24, h, batch_first=True)
        self.head = nn.Linear(h, AHEAD)

    def forward(self, x):
        o, _ = self.gru(self.day(x[:, None]).transpose(1, 2))
        return self.head(o[:, -1])


model = Forecaster()
EPOCHS = 30
opt = torch.optim.Adam(model.parameters(), lr=4e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, EPOCHS)
mae = nn.L1Loss()
watch = dressage.watch(model, opt, mae, train=(xtr, ytr), val=(xva, yva))
for epoch in range(EPOCHS):
    for i in torch.randperm(len(xtr)).split(64):
        loss = mae(model(xtr[i]), ytr[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    sched.step()
    with torch.no_grad():
        p = model(xva)
    watch.validated(loss=mae(p, yva).item())
naive = (past[b:, -24:-12] - ahead[b:]).abs().mean().item()
done(watch, 1 - mae(p, yva).item() / naive)
