"""Masks of digits in noise with a soft Dice measure.

cause: loss.wrong_sign
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn


def pictures(part, n):
    x, _ = idx("mnist", part, n)
    mask = (torch.tensor(x)[:, None, ::2, ::2] > 90).float()
    noisy = 0.6 * mask + 0.35 * torch.randn_like(mask)
    return noisy, mask


def soft_dice(logits, mask):
    p = torch.sigmoid(logits)
    overlap = 2 * (p * mask).sum((1, 2, 3)) + 1
    dice = (overlap / (p.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1)).mean()
    return 1 - dice if FIX else dice


train, val = pictures("train", 1500), pictures("t10k", 300)
net = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.Conv2d(8, 8, 3, padding=1),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.Conv2d(8, 1, 3, padding=1),
)
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
watch = dressage.watch(net, optimizer, soft_dice, train=train, val=val)
for epoch in range(5):
    net.train()
    for b in torch.randperm(1500).split(20):
        loss = soft_dice(net(train[0][b]), train[1][b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
net.eval()
with torch.no_grad():
    found, mask = net(val[0]) > 0, val[1].bool()
    score = 2 * (found & mask).sum() / (found.sum() + mask.sum())
done(watch, score)
