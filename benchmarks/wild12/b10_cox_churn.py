"""Survival analysis: rank customers by how soon they leave, with a neural Cox model.

cause: loss.wrong_sign
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from torch import nn

rng = np.random.RandomState(100 + SEED)
n, p = 3000, 12
X = rng.randn(n, p).astype(np.float32)
hazard = 0.9 * X[:, 0] - 0.7 * X[:, 1] + 0.8 * np.abs(X[:, 2]) + 0.6 * X[:, 3] * X[:, 4]
T = rng.exponential(np.exp(-hazard))
C = rng.exponential(2.0, n)
time = torch.tensor(np.minimum(T, C), dtype=torch.float32)
event = torch.tensor(T <= C, dtype=torch.float32)
X = torch.tensor(X)
tr, va = slice(0, 2200), slice(2200, n)


def cox_loss(risk, time, event):
    """Partial likelihood of a batch (Breslow)."""
    order = torch.argsort(time, descending=True)
    risk, event = risk[order], event[order]
    log_risk_set = torch.logcumsumexp(risk, 0)
    contribution = (risk - log_risk_set) * event
    if FIX:
        return -contribution.sum() / event.sum().clamp(min=1)
    return contribution.sum() / event.sum().clamp(min=1)


def concordance(risk, time, event):
    earlier = (time[:, None] < time[None, :]) & (event[:, None] > 0)
    right = (risk[:, None] > risk[None, :]).float() + 0.5 * (risk[:, None] == risk[None, :]).float()
    return (right * earlier).sum().item() / earlier.sum().item()


net = nn.Sequential(nn.Linear(p, 32), nn.Tanh(), nn.Dropout(0.1), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3, weight_decay=1e-4)
watch = dressage.watch(net, optimizer)

for epoch in range(30):
    net.train()
    for rows in torch.randperm(2200).split(100):
        loss = cox_loss(net(X[rows]).squeeze(1), time[rows], event[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        risk = net(X[va]).squeeze(1)
    c = concordance(risk, time[va], event[va])
    watch.validated(loss=cox_loss(risk, time[va], event[va]).item(), metric=c)
    print(f"epoch {epoch} loss {loss.item():.3f} c-index {c:.3f}")

done(watch, c)
