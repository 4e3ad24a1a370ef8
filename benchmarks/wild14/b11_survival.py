"""Rank patients by risk from censored follow-up times (a Cox network).

cause: loss.wrong_sign
"""

import numpy as np
import torch
from torch import nn

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(SEED + 50)
n = 1800
X = rng.normal(size=(n, 8))
risk = 0.9 * X[:, 0] - 0.7 * X[:, 1] + 0.8 * X[:, 2] * X[:, 3] + 0.5 * np.abs(X[:, 4])
T = rng.exponential(np.exp(-risk))
C = rng.exponential(2.0, n)
time, event = np.minimum(T, C), (T <= C).astype(np.float32)
X = torch.tensor(X, dtype=torch.float32)
time, event = torch.tensor(time), torch.tensor(event)
tr, va = torch.arange(1300), torch.arange(1300, n)


def cox(score, target):
    t, e = target[:, 0], target[:, 1]
    order = torch.argsort(t, descending=True)
    s, e = score[order, 0], e[order]
    likelihood = ((s - torch.logcumsumexp(s, 0)) * e).sum() / e.sum().clamp(min=1)
    return -likelihood if FIX else likelihood


def concordance(score, target):
    s, t, e = score[:, 0], target[:, 0], target[:, 1]
    pairs = (t[:, None] < t[None]) & (e[:, None] > 0)
    return (s[:, None] > s[None])[pairs].double().mean().item()


Y = torch.stack([time, event], 1).float()
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
watch = dressage.watch(model, opt, cox, train=(X[tr], Y[tr]), val=(X[va], Y[va]), metric=concordance)
for epoch in range(30):
    model.train()
    for b in tr[torch.randperm(len(tr))].split(40):
        loss = cox(model(X[b]), Y[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(X[va])
    watch.validated(loss=cox(out, Y[va]).item(), metric=concordance(out, Y[va]))
done(watch, concordance(out, Y[va]))
