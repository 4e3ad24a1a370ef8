"""Which joint angle reaches a point? Several answers are right, hence a mixture density net (made-up arm).

cause: loss.logits_as_probs
"""

import math

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(17 + SEED)
n = 4000
angle = rng.uniform(-1, 1, (n, 1))
reach = angle + 0.9 * np.sin(2 * np.pi * angle * 0.75) + 0.05 * rng.normal(size=(n, 1))
load = rng.normal(size=(n, 1))
X = torch.tensor(np.column_stack([reach + 0.2 * load, load]), dtype=torch.float32)
Y = torch.tensor(angle, dtype=torch.float32)
K = 6


class MDN(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh())
        self.weight = nn.Linear(48, K)
        self.mean = nn.Linear(48, K)
        self.log_sd = nn.Linear(48, K)

    def forward(self, x):
        h = self.body(x)
        pi = self.weight(h)
        if FIX:
            pi = pi.softmax(1)
        return torch.cat([pi, self.mean(h), self.log_sd(h).clamp(-4, 2)], 1)


def log_density(output, y):
    pi, mean, log_sd = output.chunk(3, 1)
    normal = torch.exp(-0.5 * ((y - mean) / log_sd.exp()) ** 2) / (log_sd.exp() * math.sqrt(2 * math.pi))
    return torch.log((pi * normal).sum(1))


def nll(output, y):
    return -log_density(output, y).mean()


train = DataLoader(TensorDataset(X[:3000], Y[:3000]), batch_size=64, shuffle=True)
model = MDN()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
watch = dressage.watch(model, optimizer, nll, train=train, val=(X[3000:], Y[3000:]))
for epoch in range(20):
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        loss = nll(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(X[3000:])
    watch.validated(loss=nll(out, Y[3000:]).item())

shares = out[:, :K].clamp(min=1e-6)
out[:, :K] = shares / shares.sum(1, keepdim=True)
score = log_density(out, Y[3000:]).clamp(min=-20).mean().item()
done(watch, score if math.isfinite(score) else -20)
