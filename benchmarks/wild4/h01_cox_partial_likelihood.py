"""Survival times of patients, some censored, with Cox's partial likelihood (score: concordance; chance .5)."""

import numpy as np
import torch
from kit import SEED, done, dressage
from sklearn.datasets import load_diabetes
from torch import nn

x, y = load_diabetes(return_X_y=True)
rng = np.random.default_rng(SEED)
time = 400 - y + rng.exponential(20, len(y))
censor = rng.uniform(50, 700, len(y))
event = time <= censor
seen = np.minimum(time, censor)
order = rng.permutation(len(y))
x = torch.tensor(x[order] / x.std(0), dtype=torch.float32)
target = torch.tensor(np.stack([seen, event], 1)[order], dtype=torch.float32)
xtr, ttr, xva, tva = x[:330], target[:330], x[330:], target[330:]


def cox(risk, target):
    order = target[:, 0].argsort(descending=True)
    risk, event = risk.squeeze(1)[order], target[order, 1]
    return -((risk - risk.logcumsumexp(0)) * event).sum() / event.sum()


def concordance(risk, target):
    t, e, r = target[:, 0], target[:, 1], risk.squeeze(1)
    pairs = (t[:, None] < t[None]) & (e[:, None] > 0)
    return ((r[:, None] > r[None]) & pairs).sum() / pairs.sum()


model = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 1, bias=False))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-2)
watch = dressage.watch(model, optimizer, cox, train=(xtr, ttr), val=(xva, tva))
for epoch in range(60):
    model.train()
    for rows in torch.randperm(330).split(110):
        optimizer.zero_grad()
        loss = cox(model(xtr[rows]), ttr[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    done(watch, concordance(model(xva), tva))
