"""Mark the pixels of a handwritten digit on a noisy, striped ground (segmentation).

cause: loss.sum_reduction
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage, idx

rng = np.random.default_rng(SEED)


def scenes(part, n, size=32):
    digits, _ = idx("mnist", part, n)
    digits = digits / 255.0
    pictures = np.zeros((n, 1, size, size), np.float32)
    masks = np.zeros((n, 1, size, size), np.float32)
    grid = np.arange(size)
    for i in range(n):
        angle, freq = rng.uniform(0, np.pi), rng.uniform(0.4, 1.5)
        stripes = 0.35 * np.sin(freq * (np.cos(angle) * grid[:, None] + np.sin(angle) * grid[None]))
        picture = stripes + rng.normal(scale=0.35, size=(size, size))
        r, c = rng.integers(0, size - 27, 2)
        picture[r : r + 28, c : c + 28] += 0.9 * digits[i]
        pictures[i, 0] = picture
        masks[i, 0, r : r + 28, c : c + 28] = digits[i] > 0.5
    return TensorDataset(torch.from_numpy(pictures), torch.from_numpy(masks))


train_loader = DataLoader(scenes("train", 1200), batch_size=16, shuffle=True)
val_loader = DataLoader(scenes("t10k", 240), batch_size=60)


class SmallUNet(nn.Module):
    def __init__(self, w=10):
        super().__init__()
        self.down1 = nn.Sequential(nn.Conv2d(1, w, 3, padding=1), nn.ReLU(), nn.Conv2d(w, w, 3, padding=1), nn.ReLU())
        self.down2 = nn.Sequential(
            nn.Conv2d(w, 2 * w, 3, padding=1), nn.ReLU(), nn.Conv2d(2 * w, 2 * w, 3, padding=1), nn.ReLU()
        )
        self.up = nn.ConvTranspose2d(2 * w, w, 2, stride=2)
        self.last = nn.Sequential(nn.Conv2d(2 * w, w, 3, padding=1), nn.ReLU(), nn.Conv2d(w, 1, 1))

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        return self.last(torch.cat([a, self.up(b)], 1))


def iou(output, mask):
    p = output > 0
    m = mask > 0.5
    return ((p & m).sum() / (p | m).sum().clamp(min=1)).item()


net = SmallUNet()
criterion = nn.BCEWithLogitsLoss(reduction="mean" if FIX else "sum")
optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
watch = dressage.watch(net, optimizer, criterion, train=train_loader, val=val_loader, metric=iou)

for epoch in range(6):
    net.train()
    for picture, mask in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(picture), mask)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    net.eval()
    scores, losses = [], []
    with torch.no_grad():
        for picture, mask in val_loader:
            out = net(picture)
            scores.append(iou(out, mask))
            losses.append(criterion(out, mask).item())
    watch.validated(loss=np.mean(losses), metric=np.mean(scores))

done(watch, np.mean(scores))
