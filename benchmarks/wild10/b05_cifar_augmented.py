"""Classify CIFAR-10 photographs with flips and shifts as augmentation.

cause: eval.preprocess_mismatch
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

from kit import FIX, cifar, done, dressage

MEAN = np.array([0.4914, 0.4822, 0.4465], np.float32)
STD = np.array([0.2470, 0.2435, 0.2616], np.float32)


def to_float(image):
    return image.astype(np.float32) / 255


def normalise(image):
    return (image - MEAN) / STD


def random_flip(image):
    return image[:, ::-1] if np.random.rand() < 0.5 else image


def to_tensor(image):
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


class Photos(Dataset):
    def __init__(self, images, labels, transforms):
        self.images, self.labels, self.transforms = images, labels, transforms

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        x = self.images[i]
        for t in self.transforms:
            x = t(x)
        return x, int(self.labels[i])


train_tf = [to_float, random_flip, normalise, to_tensor]
test_tf = [to_float, normalise, to_tensor] if FIX else [to_float, to_tensor]

xa, ya, xb, yb = cifar(5000, 1000)
train_loader = DataLoader(Photos(xa, ya, train_tf), batch_size=64, shuffle=True, drop_last=True)
val_loader = DataLoader(Photos(xb, yb, test_tf), batch_size=250)


def block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU())


model = nn.Sequential(
    block(3, 24), block(24, 48), block(48, 64), nn.Flatten(), nn.Dropout(0.25), nn.Linear(64 * 16, 10)
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02)
EPOCHS = 8
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=EPOCHS * len(train_loader))
acc = lambda out, y: (out.argmax(1) == y).float().mean().item()
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader, metric=acc)

for epoch in range(EPOCHS):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        pairs = [(model(x), y) for x, y in val_loader]
    out, y = torch.cat([p[0] for p in pairs]), torch.cat([p[1] for p in pairs])
    watch.validated(loss=criterion(out, y).item(), metric=acc(out, y))

done(watch, acc(out, y))
