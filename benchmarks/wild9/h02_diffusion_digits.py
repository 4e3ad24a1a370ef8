"""A diffusion model of 8x8 digits: guess the noise that was added; judged by the share of the noise that is explained."""

import math

import torch
import torch.nn as nn
from sklearn.datasets import load_digits

from kit import done, dressage

images = torch.tensor(load_digits().data, dtype=torch.float32) / 8 - 1
perm = torch.randperm(len(images))
train, held = images[perm[:1500]], images[perm[1500:]]


class Denoiser(nn.Module):
    def __init__(self, width=256):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(16, 64), nn.SiLU())
        self.inp = nn.Linear(64 + 64, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(2)
        )
        self.out = nn.Linear(width, 64)
        self.gate = nn.Linear(64, 64)
        nn.init.zeros_(self.out.weight)

    def forward(self, x, t):
        freq = torch.exp(torch.arange(8) * 0.6)
        e = torch.cat([(t * freq).sin(), (t * freq).cos()], 1)
        e = self.time(e)
        h = self.inp(torch.cat([x, e], 1))
        for block in self.blocks:
            h = h + block(h)
        return self.out(h) + self.gate(e) * x


def noised(x, t, eps):
    a = torch.cos(t * math.pi / 2)
    return a * x + (1 - a**2).sqrt() * eps


model = Denoiser()
ema = Denoiser()
ema.load_state_dict(model.state_dict())
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
STEPS = 2000
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
watch = dressage.watch(model, optimizer)

for step in range(STEPS):
    x = train[torch.randint(len(train), (64,))]
    t, eps = torch.rand(len(x), 1) * 0.98 + 0.01, torch.randn_like(x)
    loss = (model(noised(x, t, eps), t) - eps).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    watch.step(loss)
    with torch.no_grad():
        for a, b in zip(ema.parameters(), model.parameters()):
            a.lerp_(b, 0.02)

with torch.no_grad():
    x = held.repeat(10, 1)
    t, eps = torch.rand(len(x), 1) * 0.98 + 0.01, torch.randn_like(x)
    error = (ema(noised(x, t, eps), t) - eps).pow(2).mean().item()
done(watch, 1 - error)
