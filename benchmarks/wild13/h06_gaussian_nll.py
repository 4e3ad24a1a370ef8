"""Predict a sensor's reading together with its uncertainty (Gaussian likelihood)."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import SEED, done, dressage

rng = np.random.default_rng(SEED)
N = 5000
x = rng.uniform(-1, 1, (N, 4)).astype(np.float32)
mean = 0.5 * np.sin(3 * x[:, 0]) + 0.4 * x[:, 1] * x[:, 2]
sigma = 0.02 + 0.10 * np.abs(x[:, 3])
y = (mean + sigma * rng.normal(size=N)).astype(np.float32)
X, Y = torch.tensor(x), torch.tensor(y).unsqueeze(1)
cut = 4000
loader = DataLoader(TensorDataset(X[:cut], Y[:cut]), batch_size=64, shuffle=True)


class Probabilistic(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.mean, self.raw = nn.Linear(64, 1), nn.Linear(64, 1)

    def forward(self, x):
        h = self.trunk(x)
        return self.mean(h), nn.functional.softplus(self.raw(h)) ** 2 + 1e-6


model = Probabilistic()
nll = nn.GaussianNLLLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 25)
watch = dressage.watch(model, optimizer)
for epoch in range(25):
    for bx, by in loader:
        m, v = model(bx)
        loss = nll(m, by, v)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        watch.step(loss)
    schedule.step()
    with torch.no_grad():
        m, v = model(X[cut:])
        val = nll(m, Y[cut:], v).item()
    watch.validated(loss=val)
done(watch, -val)
