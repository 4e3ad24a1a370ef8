"""Estimate a density in the plane with a RealNVP normalising flow.

cause: model.missing_nonlinearity
"""

import math

import torch
from sklearn.datasets import make_moons
from torch import nn

from kit import FIX, SEED, done, dressage

pts, _ = make_moons(4000, noise=0.06, random_state=SEED)
pts = torch.tensor((pts - pts.mean(0)) / pts.std(0), dtype=torch.float32)
train, test = pts[:3000], pts[3000:]


class Coupling(nn.Module):
    def __init__(self, first, hidden=48):
        super().__init__()
        self.first = first
        if FIX:
            self.net = nn.Sequential(
                nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 2)
            )
        else:
            self.net = nn.Sequential(nn.Linear(1, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 2))

    def forward(self, x):
        a, b = (x[:, :1], x[:, 1:]) if self.first else (x[:, 1:], x[:, :1])
        s, t = self.net(a).chunk(2, 1)
        s = 2 * torch.tanh(s / 2)
        b = b * s.exp() + t
        return torch.cat([a, b] if self.first else [b, a], 1), s[:, 0]


class Flow(nn.Module):
    def __init__(self, n=6):
        super().__init__()
        self.steps = nn.ModuleList(Coupling(k % 2 == 0) for k in range(n))

    def forward(self, x):
        logdet = 0
        for step in self.steps:
            x, ld = step(x)
            logdet = logdet + ld
        return -0.5 * x.pow(2).sum(1) - math.log(2 * math.pi) + logdet


flow = Flow()
optimizer = torch.optim.Adam(flow.parameters(), lr=2e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
watch = dressage.watch(flow, optimizer)
for epoch in range(20):
    for rows in torch.randperm(len(train)).split(64):
        loss = -flow(train[rows]).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
        optimizer.step()
        watch.step(loss)
    schedule.step()
    with torch.no_grad():
        nll = -flow(test).mean().item()
    watch.validated(loss=nll)

done(watch, -nll)
