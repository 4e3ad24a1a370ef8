"""Demand of an ice-cream stall: three quantiles at once with the pinball loss."""

import numpy as np
import torch
from torch import nn

from kit import done, dressage

rng = np.random.default_rng(2)
n = 4000
temp = rng.uniform(5, 35, n)
weekday = rng.integers(0, 7, n)
rain = (rng.random(n) < 0.3).astype(float)
mu = 20 + 2.5 * np.maximum(temp - 12, 0) * (1 - 0.5 * rain) + 15 * (weekday >= 5)
demand = mu + (3 + 0.25 * mu) * rng.gumbel(0, 1, n) * 0.7

x = np.column_stack([(temp - 20) / 8.7, rain - 0.3, np.eye(7)[weekday]])
x, y = torch.tensor(x).float(), torch.tensor(demand).float()
cut = 3000
y_mean, y_std = y[:cut].mean(), y[:cut].std()
y = (y - y_mean) / y_std
taus = torch.tensor([0.1, 0.5, 0.9])


class QuantileNet(nn.Module):
    """The lowest quantile and two positive steps up, so that the quantiles never cross."""

    def __init__(self, d):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(d, 48), nn.ELU(), nn.Linear(48, 48), nn.ELU())
        self.out = nn.Linear(48, 3)

    def forward(self, x):
        h = self.out(self.body(x))
        steps = nn.functional.softplus(h[:, 1:])
        return torch.cat([h[:, :1], h[:, :1] + steps.cumsum(1)], 1)


def pinball(q, target):
    err = target.unsqueeze(1) - q
    return torch.maximum(taus * err, (taus - 1) * err).mean()


model = QuantileNet(x.shape[1])
opt = torch.optim.RMSprop(model.parameters(), lr=1e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 25)
watch = dressage.watch(model, opt, pinball, train=(x[:cut], y[:cut]), val=(x[cut:], y[cut:]))

for epoch in range(25):
    for b in torch.randperm(cut).split(64):
        loss = pinball(model(x[b]), y[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    sched.step()
    with torch.no_grad():
        q = model(x[cut:])
        val = pinball(q, y[cut:]).item()
    watch.validated(loss=val)
    if epoch % 6 == 0:
        print(epoch, round(val, 4), "coverage", (y[cut:, None] < q).float().mean(0).tolist())

flat = torch.quantile(y[:cut], taus).expand(n - cut, 3)
done(watch, 1 - val / pinball(flat, y[cut:]).item())
