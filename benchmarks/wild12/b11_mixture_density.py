"""A mixture density network for an arm's inverse kinematics (several answers per question).

cause: optim.schedule_collapsed
"""

import math

import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from torch import nn

rng = np.random.RandomState(SEED)


def arm(n):
    a = rng.uniform(0.3, 1.2, n)
    b = rng.uniform(math.pi / 2, 3 * math.pi / 2, n)
    xy = np.stack([0.8 * np.cos(a) - 0.2 * np.cos(a + b), 0.8 * np.sin(a) - 0.2 * np.sin(a + b)], 1)
    xy = (xy - [0.6, 0.6]) / 0.25
    angles = np.stack([(a - 0.75) / 0.26, (b - math.pi) / 0.9], 1)
    return torch.tensor(xy).float(), torch.tensor(angles).float()


x, t = arm(4000)
xv, tv = arm(1000)


class MDN(nn.Module):
    def __init__(self, k=5, dim=2):
        super().__init__()
        self.k, self.dim = k, dim
        self.trunk = nn.Sequential(nn.Linear(2, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh())
        self.pi = nn.Linear(48, k)
        self.mean = nn.Linear(48, k * dim)
        self.log_sigma = nn.Linear(48, k)

    def forward(self, x):
        h = self.trunk(x)
        return self.pi(h).log_softmax(-1), self.mean(h).view(-1, self.k, self.dim), self.log_sigma(h).clamp(-6, 3)


def nll(log_pi, mean, log_sigma, target):
    d2 = ((target.unsqueeze(1) - mean) ** 2).sum(-1)
    log_n = -0.5 * d2 / (2 * log_sigma).exp() - mean.shape[-1] * (log_sigma + 0.5 * math.log(2 * math.pi))
    return -torch.logsumexp(log_pi + log_n, -1).mean()


mdn = MDN()
optimizer = torch.optim.Adam(mdn.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
watch = dressage.watch(mdn, optimizer)

for epoch in range(25):
    for idx in torch.randperm(len(x)).split(100):
        optimizer.zero_grad()
        loss = nll(*mdn(x[idx]), t[idx])
        loss.backward()
        optimizer.step()
        if not FIX:
            scheduler.step()
        watch.step(loss)
    if FIX:
        scheduler.step()
    with torch.no_grad():
        val = nll(*mdn(xv), tv).item()
    watch.validated(loss=val)
    print(epoch, val)

done(watch, -val)
