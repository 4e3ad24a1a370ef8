"""A normalising flow of dequantised digits: affine couplings, trained by likelihood; the loss falls far below zero."""

import numpy as np
import torch
import torch.nn as nn
from kit import done, dressage
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture


class Coupling(nn.Module):
    def __init__(self, d, flip):
        super().__init__()
        mask = (torch.arange(d) % 2 == flip).float()
        self.register_buffer("mask", mask)
        self.net = nn.Sequential(nn.Linear(d, 96), nn.ReLU(), nn.Linear(96, 2 * d))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        s, t = self.net(x * self.mask).chunk(2, 1)
        s, t = torch.tanh(s) * (1 - self.mask), t * (1 - self.mask)
        return x * s.exp() + t, s.sum(1)


class Flow(nn.Module):
    def __init__(self, d, n=6):
        super().__init__()
        self.couplings = nn.ModuleList([Coupling(d, i % 2) for i in range(n)])
        self.log_scale = nn.Parameter(torch.zeros(d))
        self.shift = nn.Parameter(torch.full((d,), -0.5))

    def forward(self, x):
        z, log_det = (x + self.shift) * self.log_scale.exp(), self.log_scale.sum()
        for c in self.couplings:
            z, ld = c(z)
            log_det = log_det + ld
        return z, log_det.expand(len(x)) if log_det.ndim == 0 else log_det


def nll(output, _=None):
    z, log_det = output
    return (0.5 * z.pow(2).sum(1) + 0.919 * z.shape[1] - log_det).mean() / z.shape[1]


X = torch.tensor(load_digits().data).float()
X = X[torch.randperm(len(X))]
dequantise = lambda x: (x + torch.rand_like(x)) / 17
train, test = X[:1400], dequantise(X[1400:])
model = Flow(64)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, nll)
for epoch in range(16):
    for rows in torch.randperm(len(train)).split(50):
        optimizer.zero_grad()
        loss = nll(model(dequantise(train[rows])))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    ours = nll(model(test)).item()
base = GaussianMixture(1, covariance_type="diag", random_state=0).fit(np.asarray(dequantise(train)))
print("nats a pixel", ours, "independent Gaussians", -base.score(np.asarray(test)) / 64)
done(watch, -ours)
