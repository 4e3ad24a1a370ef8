"""Survival of made-up patients: a small network with the Cox partial likelihood, many censored."""

import numpy as np
import torch
from torch import nn

from kit import done, dressage

rng = np.random.default_rng(8)
N = 2000
age = rng.normal(62, 10, N)
stage = rng.integers(1, 5, N)
marker = rng.lognormal(0, 0.8, N)
treated = rng.integers(0, 2, N)
noise = rng.normal(size=(N, 4))
X = np.column_stack([(age - 62) / 10, stage - 2.5, np.log(marker), treated - 0.5, noise])
hazard = 0.5 * X[:, 0] + 0.5 * X[:, 1] + 0.7 * np.abs(X[:, 2]) - 1.6 * (treated == 1) * (stage <= 2)
event_time = rng.exponential(np.exp(-hazard) * 10)
censor_time = rng.exponential(9, N)
T = np.minimum(event_time, censor_time)
E = (event_time <= censor_time).astype(np.float32)
print("events", E.mean())

X, T, E = (torch.tensor(a, dtype=torch.float32) for a in (X, T, E))
train, test = slice(0, 1500), slice(1500, N)


def cox_loss(risk, time, event):
    order = torch.argsort(time, descending=True)
    risk, event = risk[order], event[order]
    return -((risk - torch.logcumsumexp(risk, 0)) * event).sum() / event.sum()


def concordance(risk, time, event):
    earlier = (time[:, None] < time[None, :]) & (event[:, None] == 1)
    diff = risk[:, None] - risk[None, :]
    return ((diff > 0).float() + 0.5 * (diff == 0).float())[earlier].mean().item()


model = nn.Sequential(
    nn.Linear(8, 32), nn.SELU(), nn.Dropout(0.1), nn.Linear(32, 16), nn.SELU(), nn.Linear(16, 1, bias=False)
)
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.1)
watch = dressage.watch(model, optimizer)

for epoch in range(30):
    model.train()
    for b in torch.randperm(1500).split(150):
        optimizer.zero_grad()
        loss = cox_loss(model(X[b]).squeeze(1), T[b], E[b])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        risk = model(X[test]).squeeze(1)
        val_loss, c = cox_loss(risk, T[test], E[test]).item(), concordance(risk, T[test], E[test])
    watch.validated(loss=val_loss, metric=c)
    print(epoch, f"{loss.item():.3f} {val_loss:.3f} c-index {c:.4f}")
ideal = torch.tensor(hazard)[test]
print("c-index of the true hazard", concordance(ideal, T[test], E[test]))
done(watch, c)
