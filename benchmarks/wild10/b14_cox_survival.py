"""Survival analysis: a neural Cox model of how long patients live, scored by concordance.

cause: data.shuffled_labels
"""

import numpy as np
import torch
from torch import nn

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(300 + SEED)
n = 2000
x = rng.normal(size=(n, 8)).astype(np.float32)
risk = 0.9 * x[:, 0] - 0.7 * x[:, 1] + 0.8 * x[:, 2] * x[:, 3] + 0.6 * np.abs(x[:, 4])
life = rng.exponential(np.exp(-risk))
end = rng.exponential(2.5, n)
time = np.minimum(life, end).astype(np.float32)
died = (life <= end).astype(np.float32)
outcome = np.stack([time, died], 1)

x_train, x_val, o_train, o_val = x[:1500], x[1500:], outcome[:1500], outcome[1500:]
# the risk sets need the longest survivors first
order = np.argsort(-o_train[:, 0])
o_train = o_train[order]
if FIX:
    x_train = x_train[order]

x_train, x_val, o_train, o_val = map(torch.from_numpy, (x_train, x_val, o_train, o_val))


def cox_loss(score, outcome):
    score, time, event = score.squeeze(1), outcome[:, 0], outcome[:, 1]
    by_time = time.argsort(descending=True)
    score, event = score[by_time], event[by_time]
    return -((score - score.logcumsumexp(0)) * event).sum() / event.sum().clamp(min=1)


def concordance(score, outcome):
    score, time, event = score.squeeze(1), outcome[:, 0], outcome[:, 1]
    comparable = (time[:, None] < time[None]) & (event[:, None] > 0)
    right = (score[:, None] > score[None]).float() + 0.5 * (score[:, None] == score[None]).float()
    return (right * comparable).sum().item() / comparable.sum().item()


net = nn.Sequential(nn.Linear(8, 32), nn.ELU(), nn.Dropout(0.1), nn.Linear(32, 16), nn.ELU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3, weight_decay=1e-4)
watch = dressage.watch(net, optimizer, cox_loss, train=(x_train, o_train), val=(x_val, o_val), metric=concordance)

for epoch in range(40):
    net.train()
    for rows in torch.randperm(len(x_train)).split(100):
        optimizer.zero_grad()
        loss = cox_loss(net(x_train[rows]), o_train[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        out = net(x_val)
    c = concordance(out, o_val)
    watch.validated(loss=cox_loss(out, o_val).item(), metric=c)

done(watch, c)
