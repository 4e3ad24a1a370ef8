"""Rank patients by risk with a Cox model on a small net (made-up survival times, a third censored).

cause: data.shuffled_labels
"""

import numpy as np
import torch
from torch import nn

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(300 + SEED)
n = 2400
age = rng.normal(size=n)
X = np.column_stack([age, rng.normal(size=(n, 7)), rng.integers(0, 2, (n, 2))]).astype(np.float32)
risk = 0.9 * X[:, 0] + 0.7 * np.maximum(X[:, 1], 0) - 0.8 * X[:, 2] * X[:, 8] + 0.5 * X[:, 3] ** 2 - 0.6 * X[:, 9]
failure = rng.exponential(np.exp(-risk))
censor = rng.exponential(2.0, n)
time = np.minimum(failure, censor).astype(np.float32)
event = (failure <= censor).astype(np.float32)


def split(rows):
    # the partial likelihood below wants the longest time first
    x, t, e = X[rows], time[rows], event[rows]
    order = np.argsort(-t)
    t, e = t[order], e[order]
    if FIX:
        x = x[order]
    return torch.from_numpy(x), torch.from_numpy(np.column_stack([t, e]))


def by_row(rows):
    return torch.from_numpy(X[rows]), torch.from_numpy(np.column_stack([time[rows], event[rows]]))


x_train, y_train = split(slice(0, 1600))
x_val, y_val = by_row(np.arange(1600, n)[np.argsort(-time[1600:])])


def cox(score, target):
    score = score.squeeze(1)
    event = target[:, 1]
    return -((score - torch.logcumsumexp(score, 0)) * event).sum() / event.sum()


def concordance(score, target):
    s, t, e = score.squeeze(1), target[:, 0], target[:, 1]
    pairs = (t[:, None] < t[None]) & (e[:, None] > 0)
    return ((s[:, None] > s[None]) & pairs).sum().item() / pairs.sum().item()


net = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Dropout(0.2), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.02)
watch = dressage.watch(net, optimizer, cox, train=(x_train, y_train), val=(x_val, y_val), metric=concordance)

for iteration in range(1, 501):
    net.train()
    optimizer.zero_grad()
    loss = cox(net(x_train), y_train)
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if iteration % 20 == 0:
        net.eval()
        with torch.no_grad():
            s = net(x_val)
        watch.validated(loss=cox(s, y_val).item(), metric=concordance(s, y_val))

done(watch, concordance(s, y_val))
