"""Segmentation of two garments on a canvas, the border pixels unlabelled as 255 (score: mean IoU of the classes)."""

import torch
import torch.nn.functional as F
from kit import SEED, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("fashion-mnist", "train", 6000)
keep = (y == 1) | (y == 8) | (y == 9)
x, y = torch.tensor(x[keep] / 255, dtype=torch.float32)[:, ::2, ::2], torch.tensor(y[keep])
y = torch.where(y == 1, 1, torch.where(y == 8, 2, 3))
g = torch.Generator().manual_seed(SEED)


def scenes(n, first, last):
    pick = torch.randint(first, last, (n, 2), generator=g)
    image = torch.cat([x[pick[:, 0]], x[pick[:, 1]]], 2)
    solid = torch.cat([(x[pick[:, k]] > 0.1).long() * y[pick[:, k], None, None] for k in (0, 1)], 2)
    wide = F.max_pool2d(solid.float()[:, None], 3, 1, 1)[:, 0]
    thin = -F.max_pool2d(-solid.float()[:, None], 3, 1, 1)[:, 0]
    solid[wide != thin] = 255
    return image[:, None] + 0.1 * torch.randn(n, 1, 14, 28, generator=g), solid


train = TensorDataset(*scenes(1200, 0, 1400))
val = TensorDataset(*scenes(200, 1400, len(x)))
loader = DataLoader(train, batch_size=16, shuffle=True)
model = nn.Sequential(
    nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.Conv2d(16, 24, 5, padding=2), nn.ReLU(),
    nn.Conv2d(24, 24, 5, padding=4, dilation=2), nn.ReLU(), nn.Conv2d(24, 4, 1),
)  # fmt: skip
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss(ignore_index=255)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=val)
for epoch in range(4):
    for image, mask in loader:
        loss = criterion(model(image), mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    guess = model(val.tensors[0]).argmax(1)
mask = val.tensors[1]
ok = mask != 255
iou = [((guess == c) & (mask == c) & ok).sum() / (((guess == c) | (mask == c)) & ok).sum() for c in range(4)]
done(watch, sum(iou) / 4)
