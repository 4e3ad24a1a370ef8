"""Density of a bent cloud in four dimensions with affine coupling layers."""

import math

import numpy as np
import torch
from torch import nn

from kit import SEED, done, dressage

rng = np.random.default_rng(SEED)


def cloud(n):
    a = 1.2 * rng.normal(size=n)
    b = 0.6 * a**2 + 0.3 * rng.normal(size=n)
    c = np.sin(2 * a) + 0.25 * rng.normal(size=n)
    d = b * c + (0.2 + 0.3 * (a > 0)) * rng.normal(size=n)
    return np.c_[a, b, c, d]


raw, held = cloud(6000), cloud(1500)
mean, std = raw.mean(0), raw.std(0)
x, v = (torch.tensor((a - mean) / std, dtype=torch.float32) for a in (raw, held))


class Coupling(nn.Module):
    def __init__(self, flip):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(2, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 4))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        a, b = x.chunk(2, 1)
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, 1)
        s = 2 * torch.tanh(s / 2)
        b = b * s.exp() + t
        return torch.cat([b, a] if self.flip else [a, b], 1), s.sum(1)


class Flow(nn.Module):
    def __init__(self, depth=8):
        super().__init__()
        g = torch.Generator().manual_seed(0)
        self.parts = nn.ModuleList(Coupling(k % 2 == 1) for k in range(depth))
        self.orders = [torch.randperm(4, generator=g) for _ in range(depth)]

    def forward(self, x):
        logdet = torch.zeros(len(x))
        for part, order in zip(self.parts, self.orders):
            x, d = part(x[:, order])
            logdet = logdet + d
        return -0.5 * (x**2).sum(1) - 2 * math.log(2 * math.pi) + logdet


flow = Flow()
STEPS = 1500
opt = torch.optim.Adam(flow.parameters(), lr=4e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, STEPS)
watch = dressage.watch(flow, opt)
for step in range(STEPS):
    b = torch.randint(0, len(x), (256,))
    loss = -flow(x[b]).mean()
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
    opt.step()
    sched.step()
    watch.step(loss)
    if step % 150 == 149:
        with torch.no_grad():
            val = -flow(v).mean().item()
        watch.validated(loss=val)
done(watch, -val)
