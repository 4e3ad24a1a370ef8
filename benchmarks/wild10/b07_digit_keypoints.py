"""Find the four corners of the box around a digit that lies somewhere on a larger canvas.

cause: model.wrong_output_activation
"""

import numpy as np
import torch
from torch import nn

from kit import FIX, SEED, done, dressage, idx

SIZE = 40


def canvases(part, n, seed):
    rng = np.random.default_rng(seed)
    digits, _ = idx("mnist", part, n)
    images = np.zeros((n, 1, SIZE, SIZE), np.float32)
    boxes = np.zeros((n, 4), np.float32)
    for k in range(n):
        small = digits[k][::2, ::2] if rng.random() < 0.5 else digits[k][2:26, 2:26]
        s = len(small)
        top, left = rng.integers(0, SIZE - s + 1, 2)
        images[k, 0, top : top + s, left : left + s] = small / 255
        ys, xs = np.nonzero(images[k, 0] > 0.3)
        boxes[k] = xs.min(), ys.min(), xs.max(), ys.max()
    images += rng.normal(0, 0.05, images.shape).astype(np.float32)
    return torch.from_numpy(images), torch.from_numpy(boxes / (SIZE - 1) * 2 - 1)


class Corners(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(16, 24, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(24, 32, 3, 2, 1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.head = nn.Sequential(
            nn.Linear(32 * 25, 64), nn.ReLU(), nn.Linear(64, 4), nn.Tanh() if FIX else nn.Sigmoid()
        )

    def forward(self, image):
        return self.head(self.body(image))


def overlap(out, box):
    low, high = torch.maximum(out[:, :2], box[:, :2]), torch.minimum(out[:, 2:], box[:, 2:])
    inter = (high - low).clamp(min=0).prod(1)
    area = lambda b: (b[:, 2:] - b[:, :2]).clamp(min=0).prod(1)
    return (inter / (area(out) + area(box) - inter).clamp(min=1e-6)).mean().item()


x, t = canvases("train", 4000, 1 + SEED)
xv, tv = canvases("t10k", 800, 101 + SEED)
train = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, t), 64, shuffle=True)
val = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(xv, tv), 200)
model = Corners()
optimizer = torch.optim.Adam(model.parameters(), 2e-3)
EPOCHS = 12
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
loss_fn = nn.SmoothL1Loss(beta=0.1)
watch = dressage.watch(model, optimizer, loss_fn, train=train, val=val, metric=overlap)

for epoch in range(EPOCHS):
    model.train()
    for image, box in train:
        optimizer.zero_grad()
        loss = loss_fn(model(image), box)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    schedule.step()
    model.eval()
    with torch.no_grad():
        out = model(xv)
    iou = overlap(out, tv)
    watch.validated(loss=loss_fn(out, tv).item(), metric=iou)

done(watch, iou)
