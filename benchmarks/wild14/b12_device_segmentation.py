"""Segment blobs in scans of many devices, which differ in gain and brightness; two scans fit in memory at once.

cause: optim.bn_small_batch
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(SEED + 7)
S = 32
yy, xx = np.mgrid[:S, :S]


def scans(n):
    img, mask = np.zeros((n, 1, S, S), np.float32), np.zeros((n, 1, S, S), np.float32)
    for k in range(n):
        bg = rng.normal(0, 1, (4, 4)).repeat(8, 0).repeat(8, 1) * 0.3
        cy, cx, r = rng.uniform(4, 28), rng.uniform(4, 28), rng.uniform(3, 6)
        m = (yy - cy) ** 2 + (xx - cx) ** 2 < r * r
        img[k, 0] = rng.uniform(0.3, 2.5) * (bg + 0.9 * m + rng.normal(0, 0.5, (S, S)) + rng.normal(0, 1))
        mask[k, 0] = m
    return torch.tensor(img), torch.tensor(mask)


xa, ma = scans(400)
xb, mb = scans(200)
train = DataLoader(TensorDataset(xa, ma), batch_size=2, shuffle=True)


def norm(c):
    return nn.GroupNorm(1, c) if FIX else nn.BatchNorm2d(c)


def block(i, o):
    return nn.Sequential(
        nn.Conv2d(i, o, 3, padding=1), norm(o), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), norm(o), nn.ReLU()
    )


class UNet(nn.Module):
    def __init__(self, c=10):
        super().__init__()
        self.d1, self.d2 = block(1, c), block(c, 2 * c)
        self.up = nn.ConvTranspose2d(2 * c, c, 2, stride=2)
        self.u1 = block(2 * c, c)
        self.out = nn.Conv2d(c, 1, 1)

    def forward(self, x):
        a = self.d1(x)
        b = self.d2(F.max_pool2d(a, 2))
        return self.out(self.u1(torch.cat([a, self.up(b)], 1)))


def dice(out, m):
    p = (out > 0).float()
    return (2 * (p * m).sum() / (p.sum() + m.sum()).clamp(min=1)).item()


model = UNet()
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
loss_fn = nn.BCEWithLogitsLoss()
watch = dressage.watch(model, opt, loss_fn, train=train, val=(xb, mb), metric=dice)
for epoch in range(4):
    model.train()
    for x, m in train:
        loss = loss_fn(model(x), m)
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(xb)
    watch.validated(loss=loss_fn(out, mb).item(), metric=dice(out, mb))
done(watch, dice(out, mb))
