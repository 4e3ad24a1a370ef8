"""Expected number of insurance claims of a driver in a year (nine in ten have none), Poisson loss with exposure."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import SEED, done, dressage

rng = np.random.default_rng(SEED)
N = 12000
X = rng.normal(size=(N, 7)).astype(np.float32)
exposure = rng.uniform(0.2, 1, N).astype(np.float32)
rate = np.exp(-2.5 + 0.8 * np.cos(1.5 * X[:, 0]) + 0.7 * X[:, 1] * (X[:, 2] > 0) + 0.4 * X[:, 3])
counts = rng.poisson(rate * exposure).astype(np.float32)
inputs = torch.tensor(np.column_stack([X, np.log(exposure)]))
counts = torch.tensor(counts).unsqueeze(1)
cut = 9000
train = DataLoader(TensorDataset(inputs[:cut], counts[:cut]), batch_size=128, shuffle=True)
x_val, y_val = inputs[cut:], counts[cut:]


class RateNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(7, 48), nn.SiLU(), nn.Dropout(0.1), nn.Linear(48, 24), nn.SiLU(), nn.Linear(24, 1)
        )
        nn.init.constant_(self.body[-1].bias, float(torch.log(counts[:cut].mean())))

    def forward(self, x):
        return self.body(x[:, :7]) + x[:, 7:]


model = RateNet()
loss_fn = nn.PoissonNLLLoss(log_input=True)
optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-3, weight_decay=0.05)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)


def d2(log_rate, y):
    """Share of the deviance explained."""
    mu, base = log_rate.exp(), torch.full_like(y, float(counts[:cut].mean()))
    dev = lambda m: (torch.xlogy(y, y / m) - y + m).mean().item()
    return 1 - dev(mu) / dev(base)


watch = dressage.watch(model, optimizer, loss_fn, train=train, val=(x_val, y_val), metric=d2)
for epoch in range(12):
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    schedule.step()
    model.eval()
    with torch.no_grad():
        out = model(x_val)
    watch.validated(loss=loss_fn(out, y_val).item(), metric=d2(out, y_val))
done(watch, d2(out, y_val))
