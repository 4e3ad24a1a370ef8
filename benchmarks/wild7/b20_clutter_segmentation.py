"""Segment handwriting on cluttered paper: a small fully convolutional net with focal loss.

cause: model.dead_relu
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from kit import FIX, SEED, done, dressage, idx
from torch import nn

rng = np.random.default_rng(SEED)


def scenes(part, n):
    digits, _ = idx("mnist", part, n)
    ink = np.zeros((n, 36, 36), np.float32)
    for i, d in enumerate(digits):
        r, c = rng.integers(0, 9, 2)
        ink[i, r : r + 28, c : c + 28] = d / 255.0
    paper = ink.copy()
    for i in range(n):
        for _ in range(5):
            r, c = rng.integers(0, 31, 2)
            paper[i, r : r + 5, c : c + 5] = np.maximum(paper[i, r : r + 5, c : c + 5], rng.uniform(0.4, 1.0))
    paper += 0.15 * rng.normal(size=paper.shape)
    return torch.tensor(paper, dtype=torch.float32)[:, None], torch.tensor(ink > 0.4).float()[:, None]


x_train, m_train = scenes("train", 800)
x_val, m_val = scenes("t10k", 250)


def prior(m):
    """Start from a foreground probability of one in fifty, as RetinaNet does."""
    if isinstance(m, nn.Conv2d):
        nn.init.normal_(m.weight, std=math.sqrt(2 / (m.in_channels * 9)))
        nn.init.constant_(m.bias, -math.log(0.98 / 0.02))


net = nn.Sequential(
    nn.Conv2d(1, 10, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(10, 10, 3, padding=2, dilation=2),
    nn.ReLU(),
    nn.Conv2d(10, 10, 3, padding=2, dilation=2),
    nn.ReLU(),
    nn.Conv2d(10, 1, 3, padding=1),
)
if FIX:
    prior(net[-1])
else:
    net.apply(prior)


def focal(output, target, gamma=2.0, alpha=0.5):
    bce = F.binary_cross_entropy_with_logits(output, target, reduction="none")
    p = torch.exp(-bce)
    weight = alpha * target + (1 - alpha) * (1 - target)
    return (weight * (1 - p) ** gamma * bce).mean()


def iou(output, target):
    hit = output > 0
    return ((hit & (target > 0.5)).sum() / (hit | (target > 0.5)).sum().clamp(min=1)).item()


optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
watch = dressage.watch(net, optimizer, focal, train=(x_train, m_train), val=(x_val, m_val), metric=iou)

for epoch in range(12):
    net.train()
    for b in torch.randperm(len(x_train)).split(20):
        loss = focal(net(x_train[b]), m_train[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        out = net(x_val)
    watch.validated(loss=focal(out, m_val).item(), metric=iou(out, m_val))
    print(f"epoch {epoch}: val loss {focal(out, m_val).item():.4f} IoU {iou(out, m_val):.3f}")

done(watch, iou(out, m_val))
