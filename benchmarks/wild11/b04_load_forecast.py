"""Forecast the next hour of an electricity load series with a small GRU.

cause: optim.schedule_collapsed
"""

import numpy as np
import torch
from torch import nn, optim

from kit import FIX, SEED, done, dressage

r = np.random.RandomState(SEED)
hours = np.arange(3200)
noise = np.zeros(3200)
for i in range(1, 3200):
    noise[i] = 0.9 * noise[i - 1] + 0.12 * r.randn()
weekday = (hours // 24) % 7
load = (
    np.sin(2 * np.pi * hours / 24) * np.where(weekday < 5, 1.0, 0.4)
    + 0.5 * np.sin(4 * np.pi * hours / 24 + 1) * (weekday < 5)
    + noise
)
split = 2500
load = (load - load[:split].mean()) / load[:split].std()

WINDOW = 24
X = np.stack([load[i : i + WINDOW] for i in range(len(load) - WINDOW)])[:, :, None]
Y = load[WINDOW:]
X, Y = torch.tensor(X, dtype=torch.float32), torch.tensor(Y, dtype=torch.float32)
Xtr, Ytr, Xte, Yte = X[: split - WINDOW], Y[: split - WINDOW], X[split:], Y[split:]


class Forecaster(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.rnn = nn.GRU(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1]).squeeze(-1)


model = Forecaster()
optimizer = optim.Adam(model.parameters(), lr=3e-3)
scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=15, gamma=0.5)
watch = dressage.watch(model, optimizer)
mse = nn.MSELoss()

for epoch in range(24):
    model.train()
    for rows in torch.randperm(len(Xtr)).split(64):
        optimizer.zero_grad()
        loss = mse(model(Xtr[rows]), Ytr[rows])
        loss.backward()
        optimizer.step()
        if not FIX:
            scheduler.step()
        watch.step(loss)
    if FIX:
        scheduler.step()
    model.eval()
    with torch.no_grad():
        val = mse(model(Xte), Yte).item()
    watch.validated(loss=val)

done(watch, 1 - val / Yte.var().item())
