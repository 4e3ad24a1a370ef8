"""Recognise solids from point clouds with a small PointNet.

cause: optim.bn_small_batch
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(SEED)
POINTS = 64


def cloud(kind):
    u, v = rng.random(POINTS) * 2 * np.pi, rng.random(POINTS) * 2 - 1
    if kind == 0:
        p = np.stack([np.sqrt(1 - v**2) * np.cos(u), np.sqrt(1 - v**2) * np.sin(u), v], 1)
    elif kind == 1:
        p = rng.random((POINTS, 3)) * 2 - 1
        axis = rng.integers(0, 3, POINTS)
        p[np.arange(POINTS), axis] = rng.choice([-1, 1], POINTS)
        p *= 0.8
    elif kind == 2:
        p = np.stack([0.8 * np.cos(u), 0.8 * np.sin(u), v], 1)
    elif kind == 3:
        p = np.stack([(1 - v) / 2 * np.cos(u), (1 - v) / 2 * np.sin(u), v], 1)
    else:
        w = rng.random(POINTS) * 2 * np.pi
        p = np.stack([(0.75 + 0.3 * np.cos(w)) * np.cos(u), (0.75 + 0.3 * np.cos(w)) * np.sin(u), 0.3 * np.sin(w)], 1)
    a = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    return (p * rng.uniform(0.75, 1.3, (1, 3))) @ turn + rng.normal(0, 0.08, (POINTS, 3))


def make(n):
    kinds = rng.integers(0, 5, n)
    return torch.tensor(np.stack([cloud(k) for k in kinds]), dtype=torch.float32), torch.tensor(kinds)


train, (x_val, y_val) = TensorDataset(*make(1000)), make(500)
loader = DataLoader(train, batch_size=32 if FIX else 2, shuffle=True, drop_last=True)


class PointNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.b1 = nn.Conv1d(3, 32, 1), nn.BatchNorm1d(32)
        self.c2, self.b2 = nn.Conv1d(32, 96, 1), nn.BatchNorm1d(96)
        self.f1, self.b3 = nn.Linear(96, 48), nn.BatchNorm1d(48)
        self.f2, self.b4 = nn.Linear(48, 32), nn.BatchNorm1d(32)
        self.out = nn.Linear(32, 5)

    def forward(self, x):
        x = self.b1(self.c1(x.transpose(1, 2))).relu()
        x = self.b2(self.c2(x)).relu().amax(2)
        x = self.b3(self.f1(x)).relu()
        x = self.b4(self.f2(x)).relu()
        return self.out(x)


net = PointNet()
ce = nn.CrossEntropyLoss()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
decay = torch.optim.lr_scheduler.ExponentialLR(opt, 0.75)
watch = dressage.watch(net, opt, ce)
for epoch in range(10):
    net.train()
    for x, y in loader:
        opt.zero_grad()
        loss = ce(net(x), y)
        loss.backward()
        opt.step()
        watch.step(loss)
    decay.step()
    net.eval()
    with torch.no_grad():
        out = net(x_val)
    acc = (out.argmax(1) == y_val).float().mean().item()
    watch.validated(loss=ce(out, y_val).item(), metric=acc)
done(watch, acc)
