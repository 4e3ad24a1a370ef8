"""Measure by how many degrees a handwritten digit has been turned.

cause: model.wrong_output_activation
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from kit import FIX, done, dressage, idx


def turned(part, n):
    images, _ = idx("mnist", part, n)
    x = torch.from_numpy(images).float().unsqueeze(1) / 255
    degrees = torch.rand(n) * 90 - 45
    a = degrees * math.pi / 180
    theta = torch.stack([torch.stack([a.cos(), -a.sin(), 0 * a], 1), torch.stack([a.sin(), a.cos(), 0 * a], 1)], 1)
    grid = F.affine_grid(theta, (n, 1, 20, 20), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False), degrees.unsqueeze(1)


def conv_block(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, stride=2, padding=1), nn.ReLU())


def dense_block(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, n_out), nn.Sigmoid())


def r_squared(pred, target):
    return (1 - ((pred - target) ** 2).sum() / ((target - target.mean()) ** 2).sum()).item()


x_tr, deg_tr = turned("train", 8000)
x_va, deg_va = turned("t10k", 1500)
m, s = deg_tr.mean(), deg_tr.std()
y_tr, y_va = (deg_tr - m) / s, (deg_va - m) / s
xm, xs = x_tr.mean(), x_tr.std()
x_tr, x_va = (x_tr - xm) / xs, (x_va - xm) / xs

net = nn.Sequential(
    conv_block(1, 16),
    conv_block(16, 32),
    nn.Flatten(),
    dense_block(32 * 5 * 5, 64),
    nn.Linear(64, 1) if FIX else dense_block(64, 1),
)
criterion = nn.SmoothL1Loss()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
epochs, batch = 10, 64
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
watch = dressage.watch(net, optimizer, criterion)

for epoch in range(epochs):
    net.train()
    perm = torch.randperm(len(x_tr))
    for i in range(0, len(perm), batch):
        b = perm[i : i + batch]
        loss = criterion(net(x_tr[b]), y_tr[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    net.eval()
    with torch.no_grad():
        pred = net(x_va)
    watch.validated(loss=criterion(pred, y_va).item(), metric=r_squared(pred, y_va))

done(watch, r_squared(pred, y_va))
