"""Time until a machine fails, often censored: a network under Cox's partial likelihood."""

import numpy as np
import torch
import torch.nn as nn

from kit import SEED, done, dressage

rng = np.random.RandomState(SEED)
n = 3000
X = rng.randn(n, 8).astype(np.float32)
risk = 1.2 * np.abs(X[:, 0]) + 0.8 * X[:, 1] * (X[:, 2] > 0) - 0.6 * X[:, 3] + 0.5 * np.sin(2 * X[:, 4])
life = rng.weibull(1.4, n) * np.exp(-1.2 * risk / 1.4) * 10
seen_until = rng.uniform(0, 12, n)
time = torch.tensor(np.minimum(life, seen_until)).float()
event = torch.tensor(life <= seen_until).float()
X = torch.tensor(X)
tr, va = slice(0, 2200), slice(2200, n)


def cox(score, time, event):
    order = torch.argsort(time, descending=True)
    score, event = score[order], event[order]
    return -((score - torch.logcumsumexp(score, 0)) * event).sum() / event.sum().clamp(min=1)


def concordance(score, time, event):
    earlier = (time[:, None] < time[None]) & (event[:, None] > 0)
    return ((score[:, None] > score[None]) & earlier).sum().item() / earlier.sum().item()


model = nn.Sequential(
    nn.Linear(8, 48), nn.ELU(), nn.Dropout(0.1), nn.Linear(48, 24), nn.ELU(), nn.Linear(24, 1), nn.Flatten(0)
)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
EPOCHS = 25
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
watch = dressage.watch(model, optimizer)

for epoch in range(EPOCHS):
    model.train()
    for rows in torch.randperm(2200).split(110):
        loss = cox(model(X[rows]), time[rows], event[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    model.eval()
    with torch.no_grad():
        out = model(X[va])
    c = concordance(out, time[va], event[va])
    watch.validated(loss=cox(out, time[va], event[va]).item(), metric=c)

done(watch, c)
