"""Forecast tomorrow's demand from three weeks of history; gradients accumulated over four small batches."""

import numpy as np
import torch
from kit import SEED, done, dressage
from torch import nn

rng = np.random.RandomState(SEED)
days = np.arange(4200)
season = np.sin(2 * np.pi * days / 7) + 0.5 * np.cos(4 * np.pi * days / 7) + 0.8 * np.sin(2 * np.pi * days / 365)
noise, level = rng.randn(len(days)), np.zeros(len(days))
for t in range(2, len(days)):
    level[t] = 1.2 * np.tanh(1.1 * level[t - 1]) - 0.35 * level[t - 2] + 0.45 * noise[t]
demand = 200 + 40 * season * (1 + 0.4 * np.tanh(level)) + 30 * level

WINDOW, SPLIT = 21, 3400
mean, std = demand[:SPLIT].mean(), demand[:SPLIT].std()
z = torch.tensor((demand - mean) / std).float()
windows = z.unfold(0, WINDOW + 1, 1)
past, future = windows[:, :-1].unsqueeze(-1), windows[:, -1]
n_train = SPLIT - WINDOW
X, Y, XV, YV = past[:n_train], future[:n_train], past[n_train:], future[n_train:]


class Forecaster(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden + 7, 1)

    def forward(self, x):
        h, _ = self.gru(x)
        return self.head(torch.cat([h[:, -1], x[:, -7:, 0]], 1)).squeeze(1)


model = Forecaster()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1.2e-2)
EPOCHS, MICRO, ACCUMULATE = 12, 16, 4
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
watch = dressage.watch(model, optimizer, criterion)

for epoch in range(EPOCHS):
    model.train()
    optimizer.zero_grad()
    total = 0.0
    for k, b in enumerate(torch.randperm(n_train).split(MICRO), 1):
        loss = criterion(model(X[b]), Y[b])
        (loss / ACCUMULATE).backward()
        total = total + loss.detach() / ACCUMULATE
        if k % ACCUMULATE == 0:
            optimizer.step()
            optimizer.zero_grad()
            watch.step(total)
            total = 0.0
    scheduler.step()
    model.eval()
    with torch.no_grad():
        val = criterion(model(XV), YV).item()
    r2 = 1 - val / YV.var().item()
    watch.validated(loss=val)
    print(epoch, round(val, 4), round(r2, 4))

done(watch, r2)
