"""Density of the two moons with a normalising flow; the loss is the negative log-likelihood and may go below zero."""

import math

import torch
from sklearn.datasets import make_moons
from torch import nn

from kit import SEED, done, dressage

data, _ = make_moons(5000, noise=0.15, random_state=4)
data = torch.tensor((data - data.mean(0)) / data.std(0), dtype=torch.float32)
train, test = data[:4000], data[4000:]


class Coupling(nn.Module):
    def __init__(self, flip):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(1, 48), nn.LeakyReLU(), nn.Linear(48, 48), nn.LeakyReLU(), nn.Linear(48, 2))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        a, b = x.chunk(2, 1)
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, 1)
        s = 2 * torch.tanh(s)
        b = b * s.exp() + t
        return torch.cat([b, a] if self.flip else [a, b], 1), s.squeeze(1)


class Flow(nn.Module):
    def __init__(self, n=8):
        super().__init__()
        self.layers = nn.ModuleList(Coupling(i % 2 == 1) for i in range(n))

    def forward(self, x):
        logdet = 0
        for layer in self.layers:
            x, ld = layer(x)
            logdet = logdet + ld
        return -0.5 * (x**2).sum(1) - math.log(2 * math.pi) + logdet


flow = Flow()
opt = torch.optim.Adam(flow.parameters(), lr=3e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 40 * 32)
watch = dressage.watch(flow, opt)
gen = torch.Generator().manual_seed(SEED)

for epoch in range(40):
    for b in torch.randperm(4000, generator=gen).split(128)[:32]:
        loss = -flow(train[b]).mean()
        opt.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(flow.parameters(), 2.0)
        opt.step()
        sched.step()
        watch.step(loss)
    with torch.no_grad():
        nll = -flow(test).mean().item()
    watch.validated(loss=nll)
    if epoch % 5 == 4:
        print(epoch + 1, round(loss.item(), 3), round(nll, 3))
done(watch, -nll)
