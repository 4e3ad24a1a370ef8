"""Inverse kinematics with several answers: a mixture density network.

cause: model.symmetric_init
"""

import math

import numpy as np
import torch
from torch import nn

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(SEED)


def make(n):
    t = rng.uniform(0, 1, n)
    x = t + 0.3 * np.sin(2 * np.pi * t) + rng.normal(0, 0.03, n)
    return torch.tensor((x[:, None] - 0.5) / 0.35, dtype=torch.float32), torch.tensor(
        (t[:, None] - 0.5) / 0.29, dtype=torch.float32
    )


xtr, ytr = make(2000)
xva, yva = make(800)
K = 5


class MDN(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh())
        self.pi, self.mu, self.logsd = nn.Linear(48, K), nn.Linear(48, K), nn.Linear(48, K)
        # start from a broad, even mixture
        for head in (self.pi, self.mu, self.logsd):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        if FIX:
            with torch.no_grad():
                self.mu.bias.copy_(torch.linspace(-1.5, 1.5, K))

    def forward(self, x):
        h = self.body(x)
        return self.pi(h), self.mu(h), self.logsd(h)


def nll(out, y):
    pi, mu, logsd = out
    z = (y - mu) / logsd.exp()
    return -torch.logsumexp(pi.log_softmax(1) - 0.5 * z**2 - logsd - 0.5 * math.log(2 * math.pi), 1).mean()


net = MDN()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
watch = dressage.watch(net, opt, nll, train=(xtr, ytr), val=(xva, yva))
for epoch in range(50):
    for b in torch.randperm(2000).split(100):
        loss = nll(net(xtr[b]), ytr[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    with torch.no_grad():
        val = nll(net(xva), yva).item()
    watch.validated(loss=val)
done(watch, -val)
