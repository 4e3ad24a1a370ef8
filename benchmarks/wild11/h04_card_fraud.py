"""Rare fraud among card payments: a weighted loss and the average precision."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split

from kit import SEED, done, dressage

rng = np.random.RandomState(SEED)
n = 9000
amount = rng.lognormal(3, 1, n)
hour = rng.uniform(0, 24, n)
distance = rng.exponential(10, n)
recent = rng.poisson(1.5, n)
online = rng.rand(n) < 0.4
other = rng.randn(n, 4)
night = np.cos(2 * np.pi * (hour - 3) / 24)
z = 1.3 * (np.log(amount) - 3) * online + 1.2 * night + 0.07 * distance * ~online + 0.5 * recent + 0.8 * other[:, 0]
fraud = z + 0.35 * rng.logistic(0, 1, n) > np.quantile(z, 0.965)
clock = 2 * np.pi * hour / 24
X = np.column_stack([np.log(amount), np.sin(clock), np.cos(clock), np.log1p(distance), recent, online, other]).astype(
    np.float32
)
Xa, Xb, ya, yb = train_test_split(X, fraud.astype(np.float32), test_size=0.35, stratify=fraud, random_state=SEED)
mu, sd = Xa.mean(0), Xa.std(0)
Xa, Xb, ya, yb = map(torch.from_numpy, ((Xa - mu) / sd, (Xb - mu) / sd, ya, yb))

weight = (len(ya) - ya.sum()) / ya.sum()
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
opt = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)
sched = torch.optim.lr_scheduler.LinearLR(opt, 1.0, 0.0, total_iters=12)


def weighted(out, target):
    return F.binary_cross_entropy_with_logits(out, target, pos_weight=weight.sqrt())


def ap(out, target):
    return average_precision_score(target.numpy(), out.detach().numpy())


watch = dressage.watch(net, opt, weighted, train=(Xa, ya), val=(Xb, yb), metric=ap)
for epoch in range(12):
    for rows in torch.randperm(len(Xa)).split(64):
        loss = weighted(net(Xa[rows]), ya[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    sched.step()
    with torch.no_grad():
        out = net(Xb)
    watch.validated(loss=weighted(out, yb).item(), metric=ap(out, yb))

done(watch, ap(out, yb))
