"""Lift 2D joints of a stick figure to 3D (depth of each joint) with a residual network.

cause: optim.bn_small_batch
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

BONES = [
    (0, 1, 0.5),
    (1, 2, 0.3),
    (1, 3, 0.35),
    (3, 4, 0.3),
    (1, 5, 0.35),
    (5, 6, 0.3),
    (0, 7, 0.45),
    (7, 8, 0.45),
    (0, 9, 0.45),
    (9, 10, 0.45),
]
REST = np.array([np.pi / 2, np.pi / 2, -0.3, -1.2, -2.8, -1.9, -1.3, -1.5, -1.8, -1.6])


def figures(n, seed):
    r = np.random.RandomState(seed)
    joints = np.zeros((n, 11, 3))
    turn = r.uniform(-0.6, 0.6, n)
    for k, (parent, child, length) in enumerate(BONES):
        angle = REST[k] + 0.35 * r.randn(n)
        bend = np.abs(0.5 * r.randn(n)) + 0.1
        step = np.stack([np.cos(angle) * np.cos(bend), np.sin(angle) * np.cos(bend), np.sin(bend)], 1) * length
        joints[:, child] = joints[:, parent] + step
    c, s = np.cos(turn), np.sin(turn)
    x = c[:, None] * joints[..., 0] + s[:, None] * joints[..., 2]
    z = -s[:, None] * joints[..., 0] + c[:, None] * joints[..., 2]
    flat = np.concatenate([x[:, 1:], joints[:, 1:, 1]], 1) + 0.005 * r.randn(n, 20)
    return torch.tensor(flat).float(), torch.tensor(z[:, 1:]).float()


X, Z = figures(2400, SEED)
Xv, Zv = figures(800, SEED + 500)
mean, std, zm, zs = X.mean(0), X.std(0), Z.mean(0), Z.std(0)
X, Xv, Z, Zv = (X - mean) / std, (Xv - mean) / std, (Z - zm) / zs, (Zv - zm) / zs


class Lifter(nn.Module):
    def __init__(self, width=96):
        super().__init__()
        self.inp = nn.Sequential(nn.Linear(20, width), nn.BatchNorm1d(width), nn.ReLU())
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, width),
                nn.BatchNorm1d(width),
                nn.ReLU(),
                nn.Linear(width, width),
                nn.BatchNorm1d(width),
                nn.ReLU(),
            )
            for _ in range(2)
        )
        self.out = nn.Linear(width, 10)

    def forward(self, x):
        h = self.inp(x)
        for block in self.blocks:
            h = h + block(h)
        return self.out(h)


loader = DataLoader(TensorDataset(X, Z), batch_size=32 if FIX else 2, shuffle=True, drop_last=True)
epochs = 20 if FIX else 3
model = Lifter()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loss_fn = nn.MSELoss()


def r2(out, target):
    return 1 - ((out - target) ** 2).mean().item() / target.var(0).mean().item()


watch = dressage.watch(model, optimizer, loss_fn, train=loader, val=(Xv, Zv), metric=r2)
for epoch in range(epochs):
    model.train()
    for x, z in loader:
        loss = loss_fn(model(x), z)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(Xv)
        watch.validated(loss=loss_fn(out, Zv).item(), metric=r2(out, Zv))

done(watch, r2(out, Zv))
