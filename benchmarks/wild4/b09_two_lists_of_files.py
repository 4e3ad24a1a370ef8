"""Pictures and masks are read from two lists of names, each in the order the folder gives (IoU of the masks).

cause: data.shuffled_labels
"""

import random

import torch
from kit import FIX, SEED, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, Dataset

digits, _ = idx("mnist", "train", 1600)
images = {
    f"img_{i}.png": (torch.tensor(d / 255, dtype=torch.float32) * 0.6 + 0.3 * torch.rand(28, 28))[None] - 0.2
    for i, d in enumerate(digits)
}
masks = {f"mask_{i}.png": torch.tensor(d > 100).float()[None] for i, d in enumerate(digits)}


def listdir(names):
    names = sorted(names)
    random.Random(len(names[0]) + SEED).shuffle(names)
    return names


class Cells(Dataset):
    def __init__(self, images, masks):
        self.images, self.masks = images, masks
        self.image_names, self.mask_names = listdir(images), listdir(masks)
        if FIX:
            self.image_names, self.mask_names = sorted(self.image_names), sorted(self.mask_names)

    def __len__(self):
        return len(self.image_names)

    def __getitem__(self, i):
        return self.images[self.image_names[i]], self.masks[self.mask_names[i]]


def part(d, first, last):
    return {k: v for i, (k, v) in enumerate(d.items()) if first <= i < last}


train, val = (Cells(part(images, *p), part(masks, *p)) for p in ((0, 1300), (1300, 1600)))
model = nn.Sequential(
    nn.Conv2d(1, 12, 5, padding=2), nn.ReLU(), nn.Conv2d(12, 12, 5, padding=2), nn.ReLU(), nn.Conv2d(12, 1, 1)
)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.BCEWithLogitsLoss()
loader = DataLoader(train, batch_size=20, shuffle=True)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=val)
for epoch in range(5):
    for image, mask in loader:
        optimizer.zero_grad()
        loss = criterion(model(image), mask)
        loss.backward()
        optimizer.step()
        watch.step(loss)
x = torch.stack([images[f"img_{i}.png"] for i in range(1300, 1600)])
m = torch.stack([masks[f"mask_{i}.png"] for i in range(1300, 1600)]) > 0
with torch.no_grad():
    guess = model(x) > 0
done(watch, (guess & m).sum() / (guess | m).sum())
