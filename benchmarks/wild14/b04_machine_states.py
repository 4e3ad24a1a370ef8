"""Tell five machine states apart from vibration snippets with a stack of 1-D convolutions.

cause: optim.vanishing_gradients
"""

import numpy as np
import torch
from torch import nn

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(SEED + 10)
N, T = 2000, 96


def make(n):
    y = rng.integers(0, 5, n)
    t = np.arange(T)
    f = 0.05 + 0.02 * y + rng.normal(0, 0.003, n)
    x = np.sin(2 * np.pi * f[:, None] * t + rng.uniform(0, 6.28, n)[:, None])
    x = x * rng.uniform(0.6, 1.4, n)[:, None] + rng.normal(0, 0.6, (n, T))
    return torch.tensor(x[:, None], dtype=torch.float32), torch.tensor(y)


xtr, ytr = make(N)
xva, yva = make(600)
act = nn.ReLU if FIX else nn.Sigmoid


def stage(i, o, s):
    return nn.Sequential(nn.Conv1d(i, o, 5, stride=s, padding=2), act())


model = nn.Sequential(
    stage(1, 16, 1),
    stage(16, 16, 2),
    stage(16, 24, 1),
    stage(24, 24, 2),
    stage(24, 32, 1),
    stage(32, 32, 2),
    nn.Flatten(),
    nn.Linear(32 * 12, 5),
)
opt = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
loss_fn = nn.CrossEntropyLoss()
watch = dressage.watch(
    model, opt, loss_fn, train=(xtr, ytr), val=(xva, yva), metric=lambda o, t: (o.argmax(1) == t).float().mean().item()
)
for epoch in range(14):
    model.train()
    for b in torch.randperm(N).split(40):
        loss = loss_fn(model(xtr[b]), ytr[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        o = model(xva)
    watch.validated(loss=loss_fn(o, yva).item(), metric=(o.argmax(1) == yva).float().mean().item())
done(watch, (o.argmax(1) == yva).float().mean().item())
