"""Counts of rented bikes per station and hour: Poisson loss, embeddings for station, hour and weekday (many zeros)."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import SEED, done, dressage


def generate(n, rng):
    station, hour, day = rng.integers(0, 30, n), rng.integers(0, 24, n), rng.integers(0, 7, n)
    temp, rain = rng.normal(14, 8, n), rng.exponential(0.6, n) * (rng.uniform(size=n) < 0.3)
    size = np.random.default_rng(5).normal(0, 0.7, 30)
    commute = np.exp(-((hour - 8) ** 2) / 4) + np.exp(-((hour - 17) ** 2) / 6)
    leisure = np.exp(-((hour - 14) ** 2) / 18)
    log_rate = (
        -1.6
        + size[station]
        + np.where(day < 5, 2.6 * commute, 2.0 * leisure)
        + 0.04 * temp
        - 0.0012 * (temp - 20).clip(0) ** 2
        - 0.5 * rain
    )
    x = np.column_stack([station, hour, day, (temp - 14) / 8, rain])
    return x.astype(np.float32), rng.poisson(np.exp(log_rate)).astype(np.float32), np.exp(log_rate)


class CountNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.embs = nn.ModuleList([nn.Embedding(30, 6), nn.Embedding(24, 6), nn.Embedding(7, 3)])
        for e in self.embs:
            nn.init.normal_(e.weight, std=0.3)
        self.net = nn.Sequential(nn.Linear(17, 64), nn.SiLU(), nn.Linear(64, 32), nn.SiLU(), nn.Linear(32, 1))

    def forward(self, x):
        parts = [e(x[:, j].long()) for j, e in enumerate(self.embs)]
        return self.net(torch.cat(parts + [x[:, 3:]], 1)).squeeze(1)


def r2(log_rate, counts):
    return 1 - ((log_rate.exp() - counts) ** 2).mean().item() / counts.var(unbiased=False).item()


x, y, rate = generate(16000, np.random.default_rng(SEED))
print("share of zeros", (y == 0).mean())
x, y = torch.from_numpy(x), torch.from_numpy(y)
n = 13000
train_loader = DataLoader(TensorDataset(x[:n], y[:n]), batch_size=100, shuffle=True)
val_loader = DataLoader(TensorDataset(x[n:], y[n:]), batch_size=1000)
print("R2 of the true rates", 1 - np.mean((rate[n:] - y[n:].numpy()) ** 2) / y[n:].numpy().var())

model = CountNet()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
loss_fn = nn.PoissonNLLLoss(log_input=True)
watch = dressage.watch(model, optimizer, loss_fn, train=train_loader, val=val_loader, metric=r2)
for epoch in range(10):
    model.train()
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    model.eval()
    with torch.no_grad():
        pred = torch.cat([model(xb) for xb, _ in val_loader])
        train_pred = model(x[:n])
    val_loss, score = loss_fn(pred, y[n:]).item(), r2(pred, y[n:])
    print(f"epoch {epoch} train {loss_fn(train_pred, y[:n]).item():.4f} val {val_loss:.4f} R2 {score:.4f}")
    watch.validated(loss=val_loss, metric=score)
done(watch, score)
