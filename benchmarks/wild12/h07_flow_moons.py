"""Density of two moons with a small real-valued non-volume-preserving flow; fresh points every step."""

import math

import torch
from kit import SEED, done, dressage
from sklearn.datasets import make_moons
from torch import nn


def points(n, seed):
    x, _ = make_moons(n, noise=0.15, random_state=seed)
    return (torch.tensor(x).float() - torch.tensor([0.5, 0.25])) / torch.tensor([0.87, 0.5])


class Coupling(nn.Module):
    def __init__(self, keep, hidden=48):
        super().__init__()
        self.keep = keep
        self.net = nn.Sequential(
            nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 2)
        )
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        a, b = x[:, self.keep : self.keep + 1], x[:, 1 - self.keep : 2 - self.keep]
        s, t = self.net(a).chunk(2, 1)
        s = 2 * torch.tanh(s / 2)
        b = b * s.exp() + t
        out = torch.cat([a, b], 1) if self.keep == 0 else torch.cat([b, a], 1)
        return out, s.squeeze(1)


class Flow(nn.Module):
    def __init__(self, depth=8):
        super().__init__()
        self.layers = nn.ModuleList(Coupling(k % 2) for k in range(depth))

    def log_prob(self, x):
        log_det = 0
        for layer in self.layers:
            x, s = layer(x)
            log_det = log_det + s
        return -0.5 * (x**2).sum(1) - math.log(2 * math.pi) + log_det

    forward = log_prob


flow = Flow()
optimizer = torch.optim.Adam(flow.parameters(), lr=4e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1300)
watch = dressage.watch(flow, optimizer)
train, held = points(20000, SEED), points(3000, 999 + SEED)

for step in range(1300):
    x = train[torch.randint(len(train), (200,))]
    loss = -flow(x).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
    optimizer.step()
    schedule.step()
    watch.step(loss)
    if step % 100 == 99:
        with torch.no_grad():
            val = -flow(held).mean().item()
        watch.validated(loss=val)
        print(step, val)

done(watch, -val)
