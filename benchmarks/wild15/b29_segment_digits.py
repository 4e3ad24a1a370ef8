"""Segments handwritten digits out of cluttered scenes, pixel by pixel.

cause: model.missing_nonlinearity
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage, idx


def scenes(digits, rng, size=32):
    """A digit somewhere in a scene of bars, blobs and a slanted background."""
    images, masks = [], []
    grid = np.mgrid[0:size, 0:size] / size
    for d in digits:
        d = d[::1, ::1].astype(np.float32) / 255
        oy, ox = rng.integers(0, size - 28 + 1, 2)
        digit = np.zeros((size, size), np.float32)
        digit[oy : oy + 28, ox : ox + 28] = d
        back = 0.5 + 0.4 * (rng.uniform(-1, 1) * (grid[0] - 0.5) + rng.uniform(-1, 1) * (grid[1] - 0.5))
        for _ in range(2):
            a = rng.integers(0, size - 8)
            back[a : a + 8, :] += rng.uniform(-0.15, 0.15)
        sign = 1 if rng.uniform() < 0.8 else -1
        image = back + sign * 0.5 * digit + rng.normal(0, 0.08, (size, size))
        images.append(image)
        masks.append(digit > 0.4)
    x = torch.tensor(np.array(images), dtype=torch.float32).unsqueeze(1)
    return (x - 0.5) / 0.25, torch.tensor(np.array(masks), dtype=torch.float32).unsqueeze(1)


def conv(i, o, k=3, dilation=1):
    layers = [nn.Conv2d(i, o, k, padding=dilation * (k // 2), dilation=dilation)]
    if FIX:
        layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def iou(logits, masks):
    pred = logits > 0
    true = masks > 0.5
    inter = (pred & true).sum().item()
    return inter / max((pred | true).sum().item(), 1)


rng = np.random.default_rng(SEED)
digits, _ = idx("mnist", "train", 1600)
x, y = scenes(digits, rng)
train_dl = DataLoader(TensorDataset(x[:1200], y[:1200]), batch_size=24, shuffle=True)
val_dl = DataLoader(TensorDataset(x[1200:], y[1200:]), batch_size=200)

net = nn.Sequential(conv(1, 8, 5), conv(8, 12), conv(12, 12, dilation=2), conv(12, 12, dilation=4), nn.Conv2d(12, 1, 1))
opt = torch.optim.Adam(net.parameters(), lr=6e-3)
bce = nn.BCEWithLogitsLoss()
watch = dressage.watch(net, opt, bce, train=train_dl, val=val_dl, metric=iou)

for epoch in range(8):
    net.train()
    for images, masks in train_dl:
        opt.zero_grad()
        loss = bce(net(images), masks)
        loss.backward()
        opt.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        logits = torch.cat([net(images) for images, _ in val_dl])
    val_loss, score = bce(logits, y[1200:]).item(), iou(logits, y[1200:])
    print(f"epoch {epoch} loss {loss.item():.4f} val {val_loss:.4f} IoU {score:.4f}")
    watch.validated(loss=val_loss, metric=score)
done(watch, score)
