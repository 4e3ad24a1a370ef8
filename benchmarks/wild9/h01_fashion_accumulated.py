"""Clothes with shifted copies, smoothed labels, a one-cycle rate and gradients gathered over four small batches."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage, idx

ACCUMULATE, EPOCHS = 4, 8
x, y = idx("fashion-mnist", "train", 4000)
xv, yv = idx("fashion-mnist", "t10k", 1000)
x, xv = (torch.from_numpy(a).float()[:, None] / 255 for a in (x, xv))
mean, std = x.mean(), x.std()
x, xv = (x - mean) / std, (xv - mean) / std
y, yv = torch.from_numpy(y), torch.from_numpy(yv)
loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True, drop_last=True)


def augment(images):
    if torch.rand(()) < 0.5:
        images = images.flip(3)
    dx, dy = torch.randint(-1, 2, (2,)).tolist()
    return torch.roll(images, (dy, dx), (2, 3))


model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.GroupNorm(4, 16),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.GroupNorm(4, 32),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Dropout(0.2),
    nn.Linear(32 * 49, 10),
)
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.02)
steps = len(loader) // ACCUMULATE * EPOCHS
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=6e-3, total_steps=steps + 5)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=(xv, yv))

for epoch in range(EPOCHS):
    model.train()
    for i, (images, labels) in enumerate(loader, 1):
        loss = criterion(model(augment(images)), labels)
        (loss / ACCUMULATE).backward()
        if i % ACCUMULATE == 0:
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(xv)
    acc = (out.argmax(1) == yv).float().mean().item()
    watch.validated(loss=F.cross_entropy(out, yv).item(), metric=acc)
    optimizer.zero_grad()

done(watch, acc)
