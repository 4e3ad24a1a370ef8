"""Forecast the next hour's electricity load (MW) of a region from the last day with an LSTM.

cause: data.target_unscaled
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(50 + SEED)
hours = np.arange(24 * 160)
weekday = (hours // 24) % 7 < 5
noise = np.zeros(len(hours))
for t in range(1, len(hours)):
    noise[t] = 0.9 * noise[t - 1] + rng.normal(0, 120)
load = (
    14000 + 1800 * np.sin(2 * np.pi * (hours - 8) / 24) + 700 * np.sin(4 * np.pi * hours / 24) + 900 * weekday + noise
)

WINDOW = 24
cut = 24 * 120
mean, std = load[:cut].mean(), load[:cut].std()
scaled = (load - mean) / std
windows = np.stack([scaled[i : i + WINDOW] for i in range(len(load) - WINDOW)])[:, :, None]
target = (scaled if FIX else load)[WINDOW:, None]
x, y = torch.tensor(windows, dtype=torch.float32), torch.tensor(target, dtype=torch.float32)
first = cut - WINDOW
train_loader = DataLoader(TensorDataset(x[:first], y[:first]), batch_size=64, shuffle=True)
val_loader = DataLoader(TensorDataset(x[first:], y[first:]), batch_size=256)


class Forecaster(nn.Module):
    def __init__(self, hidden=40):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


model = Forecaster()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.MSELoss()
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader)

for epoch in range(12):
    model.train()
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        watch.step(loss.item())
    model.eval()
    with torch.no_grad():
        pred = torch.cat([model(xb) for xb, _ in val_loader])
    val = criterion(pred, y[first:]).item()
    watch.validated(loss=val)

done(watch, 1 - val / y[first:].var().item())
