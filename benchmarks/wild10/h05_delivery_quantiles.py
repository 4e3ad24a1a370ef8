"""Quantiles of a delivery time whose spread depends on the traffic, with the pinball loss."""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from kit import SEED, done, dressage

rng = np.random.default_rng(40 + SEED)
n, cut = 6000, 4500
x = rng.uniform(-1.7, 1.7, (n, 5)).astype(np.float32)
minutes = (
    1.0 * np.sin(1.5 * x[:, 0]) + 0.5 * x[:, 1] * (x[:, 2] > 0) + rng.gumbel(0, 1, n) * (0.4 + 0.5 * np.abs(x[:, 3]))
)
y = ((minutes - minutes[:cut].mean()) / minutes[:cut].std()).astype(np.float32)[:, None]
train = DataLoader(TensorDataset(torch.from_numpy(x[:cut]), torch.from_numpy(y[:cut])), batch_size=100, shuffle=True)
xv, yv = torch.from_numpy(x[cut:]), torch.from_numpy(y[cut:])
LEVELS = torch.tensor([0.1, 0.5, 0.9])


def pinball(output, target):
    e = target - output
    return torch.maximum(LEVELS * e, (LEVELS - 1) * e).mean()


net = nn.Sequential(nn.Linear(5, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 3))
optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=0.05)
EPOCHS = 14
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * len(train))
watch = dressage.watch(net, optimizer, pinball, train=train, val=(xv, yv))

for epoch in range(EPOCHS):
    net.train()
    for xb, yb in train:
        optimizer.zero_grad()
        loss = pinball(net(xb), yb)
        loss.backward()
        optimizer.step()
        scheduler.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        val = pinball(net(xv), yv).item()
    watch.validated(loss=val)
    print(epoch, val)

done(watch, -val)
