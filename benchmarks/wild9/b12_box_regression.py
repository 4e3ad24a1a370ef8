"""Where is the garment in the picture: regress the box (centre x, centre y, width, height) in pixels.

cause: model.wrong_output_activation
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage, idx

SIZE = 40
rng = np.random.default_rng(40 + SEED)


def place(part, n):
    items, _ = idx("fashion-mnist", part, n)
    canvas = rng.normal(0, 0.08, (n, 1, SIZE, SIZE)).astype(np.float32)
    boxes = np.zeros((n, 4), np.float32)
    for i, item in enumerate(items):
        step = rng.choice([1, 2])
        small = item[::step, ::step] / 255.0
        on = np.argwhere(small > 0.1)
        (r0, c0), (r1, c1) = on.min(0), on.max(0) + 1
        crop = small[r0:r1, c0:c1]
        h, w = crop.shape
        top, left = rng.integers(0, SIZE - h + 1), rng.integers(0, SIZE - w + 1)
        canvas[i, 0, top : top + h, left : left + w] += crop
        boxes[i] = left + w / 2, top + h / 2, w, h
    return torch.from_numpy(canvas), torch.from_numpy(boxes)


class BoxNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 12, 3, stride=2, padding=1),
            nn.BatchNorm2d(12),
            nn.ReLU(),
            nn.Conv2d(12, 24, 3, stride=2, padding=1),
            nn.BatchNorm2d(24),
            nn.ReLU(),
            nn.Conv2d(24, 32, 3, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
        )
        self.fc = nn.Sequential(nn.Flatten(), nn.Linear(32 * 25, 64), nn.ReLU(), nn.Linear(64, 4))

    def forward(self, x):
        box = torch.sigmoid(self.fc(self.conv(x)))
        if FIX:
            box = box * SIZE
        return box


def mean_iou(pred, true):
    def corners(b):
        return torch.cat([b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2], 1)

    p, t = corners(pred), corners(true)
    wh = (torch.minimum(p[:, 2:], t[:, 2:]) - torch.maximum(p[:, :2], t[:, :2])).clamp(min=0)
    inter = wh.prod(1)
    return (inter / (pred[:, 2:].prod(1) + true[:, 2:].prod(1) - inter)).mean().item()


train_loader = DataLoader(TensorDataset(*place("train", 2500)), batch_size=32, shuffle=True)
val_x, val_box = place("t10k", 500)
model = BoxNet()
loss_fn = nn.SmoothL1Loss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
watch = dressage.watch(model, optimizer, loss_fn, train=train_loader, val=(val_x, val_box))

for epoch in range(8):
    model.train()
    for x, box in train_loader:
        loss = loss_fn(model(x), box)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(val_x)
    watch.validated(loss=loss_fn(out, val_box).item())

done(watch, mean_iou(out, val_box))
