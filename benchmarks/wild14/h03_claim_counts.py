"""How many claims does a policy bring? Poisson regression with exposure; nearly all counts are zero."""

import numpy as np
import torch
from torch import nn

from kit import SEED, done, dressage

rng = np.random.default_rng(SEED + 77)
n = 12000
X = rng.normal(size=(n, 6)).astype(np.float32)
exposure = rng.uniform(0.2, 1.0, n).astype(np.float32)
rate = np.exp(-2.0 + 0.7 * X[:, 0] - 0.5 * X[:, 1] + 0.6 * X[:, 2] * (X[:, 3] > 0) + 0.4 * np.abs(X[:, 4]))
claims = rng.poisson(rate * exposure).astype(np.float32)
inputs = torch.tensor(np.c_[X, np.log(exposure)])
claims = torch.tensor(claims)
tr, te = slice(0, 9000), slice(9000, n)


class Claims(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 24), nn.SiLU(), nn.Linear(24, 24), nn.SiLU(), nn.Linear(24, 1))
        self.net[-1].bias.data.fill_(-1.5)

    def forward(self, x):
        return self.net(x[:, :6])[:, 0] + x[:, 6]


loss_fn = nn.PoissonNLLLoss(log_input=True)


def deviance(mu, y):
    return 2 * (torch.xlogy(y, y / mu) - (y - mu)).mean().item()


model = Claims()
opt = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
EPOCHS = 14
sched = torch.optim.lr_scheduler.LinearLR(opt, 1.0, 0.02, EPOCHS)
watch = dressage.watch(model, opt, loss_fn, train=(inputs[tr], claims[tr]), val=(inputs[te], claims[te]))
for epoch in range(EPOCHS):
    for b in torch.randperm(9000).split(64):
        loss = loss_fn(model(inputs[b]), claims[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    sched.step()
    with torch.no_grad():
        out = model(inputs[te])
    watch.validated(loss=loss_fn(out, claims[te]).item())

null = exposure[te] * (claims[tr].sum().item() / exposure[tr].sum())
done(watch, 1 - deviance(out.exp(), claims[te]) / deviance(torch.tensor(null), claims[te]))
