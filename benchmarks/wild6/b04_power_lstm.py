"""Load of the next hour from the last day, with an LSTM.

cause: loss.shape_broadcast
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from torch import nn
from torch.utils.data import DataLoader, Dataset

rng = np.random.default_rng(SEED)
t = np.arange(24 * 7 * 14)
series = 50 + 12 * np.sin(2 * np.pi * t / 24) + 5 * np.sin(2 * np.pi * t / 168) + 4 * np.sin(2 * np.pi * t / 12)
wander = np.zeros(len(t))
for i in range(1, len(t)):
    wander[i] = 0.95 * wander[i - 1] + rng.normal()
series = series + wander
split = int(len(series) * 0.8)
mu, sigma = series[:split].mean(), series[:split].std()
series = (series - mu) / sigma


class Windows(Dataset):
    def __init__(self, values, length=24):
        self.values = torch.tensor(values, dtype=torch.float32)
        self.length = length

    def __len__(self):
        return len(self.values) - self.length

    def __getitem__(self, i):
        x = self.values[i : i + self.length].unsqueeze(-1)
        y = self.values[i + self.length]
        return x, y


class Forecaster(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        out = self.linear(out[:, -1])
        return out.squeeze(-1) if FIX else out


train_set, val_set = Windows(series[:split]), Windows(series[split:])
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
val_loader = DataLoader(val_set, batch_size=64)
model = Forecaster()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader)
for epoch in range(8):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    preds, trues, losses = [], [], []
    with torch.no_grad():
        for x, y in val_loader:
            out = model(x)
            losses.append(criterion(out, y).item())
            preds.append(out.flatten())
            trues.append(y)
    preds, trues = torch.cat(preds), torch.cat(trues)
    mae = (preds - trues).abs().mean().item()
    watch.validated(loss=float(np.mean(losses)), metric=-mae)
done(watch, 1 - ((preds - trues) ** 2).mean() / trues.var())
