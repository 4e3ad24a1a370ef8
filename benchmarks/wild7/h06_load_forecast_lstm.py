"""Forecast the next hour's electricity load from the last two days with an LSTM (made-up series with day and week rhythm)."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage

rng = np.random.default_rng(11)
hours = np.arange(24 * 150)
day = np.sin(2 * np.pi * hours / 24) + 0.4 * np.sin(4 * np.pi * hours / 24 + 1)
weekend = ((hours // 24) % 7 >= 5).astype(float)
ar = np.zeros(len(hours))
for i in range(1, len(hours)):
    ar[i] = 0.8 * ar[i - 1] + rng.normal(0, 0.3)
load = 500 + 120 * day * (1 - 0.5 * weekend) - 60 * weekend + 40 * ar

split = 24 * 120
m, s = load[:split].mean(), load[:split].std()
z = ((load - m) / s).astype(np.float32)
features = np.stack([z, np.sin(2 * np.pi * hours / 24), np.cos(2 * np.pi * hours / 24), weekend], 1).astype(np.float32)
W = 48


def windows(a, b):
    xs = np.stack([features[i - W : i] for i in range(a, b)])
    return torch.from_numpy(xs), torch.from_numpy(z[a:b]).unsqueeze(1)


train_ds, val_ds = TensorDataset(*windows(W, split)), TensorDataset(*windows(split, len(z)))
train_loader, val_loader = DataLoader(train_ds, 64, shuffle=True), DataLoader(val_ds, 256)


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 32, batch_first=True)
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return x[:, -1, :1] + self.head(out[:, -1])


model = Forecaster()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.4)
loss_fn = nn.MSELoss()
watch = dressage.watch(model, optimizer, loss_fn, train=train_loader, val=val_loader)

for epoch in range(10):
    model.train()
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    model.eval()
    with torch.no_grad():
        pred = torch.cat([model(xb) for xb, _ in val_loader])
        truth = torch.cat([yb for _, yb in val_loader])
        val_mse = loss_fn(pred, truth).item()
    watch.validated(loss=val_mse)
    print(f"epoch {epoch} train {loss.item():.4f} val {val_mse:.4f}")

r2 = 1 - val_mse / truth.var().item()
last = val_ds.tensors[0][:, -1, 0]
print("persistence R2", 1 - ((last - truth[:, 0]) ** 2).mean().item() / truth.var().item())
done(watch, r2)
