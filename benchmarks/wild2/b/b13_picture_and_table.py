"""A network of two inputs, the picture of a digit and measurements of it: sums of rows and columns, moments, extent.

cause: data.unscaled_inputs
"""

import numpy as np
import torch
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, Dataset


def measure(images):
    a = images.astype(np.float64)
    yy, xx = np.mgrid[:28, :28]
    mass = a.sum((1, 2)) + 1
    cy, cx = (a * yy).sum((1, 2)) / mass, (a * xx).sum((1, 2)) / mass
    moments = [
        ((xx - cx[:, None, None]) ** p * (yy - cy[:, None, None]) ** q * a).sum((1, 2))
        for p, q in ((2, 0), (1, 1), (0, 2))
    ]
    extent = (a > 0).any(1).sum(1)
    return np.column_stack([mass, cy, cx, *moments, extent, a.sum(1)[:, ::4], a.sum(2)[:, ::4]]).astype(np.float32)


class Digits(Dataset):
    def __init__(self, part, n, stats=None):
        images, labels = idx("mnist", part, n)
        self.table = measure(images)
        self.stats = stats or (self.table.mean(0), self.table.std(0) + 1e-6)
        if FIX:
            self.table = (self.table - self.stats[0]) / self.stats[1]
        self.images = (images[:, None] / 255.0).astype(np.float32) - 0.13
        self.labels = labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, k):
        return {"image": self.images[k], "table": self.table[k], "label": self.labels[k]}


class TwoBranches(nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(), nn.Flatten()
        )
        self.mlp = nn.Sequential(nn.Linear(columns, 16), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(200 + 16, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, image, table):
        return self.head(torch.cat([self.conv(image), self.mlp(table)], 1))


train = Digits("train", 3000)
test = Digits("t10k", 1000, train.stats)
train_loader, test_loader = DataLoader(train, 32, shuffle=True), DataLoader(test, 200)
model = TwoBranches(train.table.shape[1])
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, F.cross_entropy, train=train_loader, val=test_loader)
for epoch in range(5):
    for batch in train_loader:
        out = model(batch["image"], batch["table"])
        loss = F.cross_entropy(out, batch["label"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    right = sum((model(b["image"], b["table"]).argmax(1) == b["label"]).sum().item() for b in test_loader)
done(watch, right / len(test))
