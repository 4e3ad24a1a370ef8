"""Clothes shifted, flipped, scratched and with noise at each draw; the pictures for validation stay as they are."""

import torch
import torch.nn as nn
from kit import done, dressage, idx
from torch.utils.data import DataLoader, Dataset


class Clothes(Dataset):
    def __init__(self, part, n, augment):
        x, y = idx("fashion-mnist", part, n)
        self.x, self.y, self.augment = torch.tensor(x).float()[:, None] / 255, torch.tensor(y), augment

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        x = self.x[i]
        if self.augment:
            if torch.rand(1) < 0.5:
                x = x.flip(-1)
            x = torch.roll(x, tuple(torch.randint(-2, 3, (2,)).tolist()), (1, 2)).clone()
            r, c = torch.randint(0, 18, (2,)).tolist()
            x[:, r : r + 8, c : c + 8] = 0
            x = (x * (0.6 + 0.8 * torch.rand(1)) + 0.1 * torch.randn_like(x)).clamp(0, 1)
        return x, self.y[i]


train_loader = DataLoader(Clothes("train", 3000, True), batch_size=32, shuffle=True)
val_loader = DataLoader(Clothes("t10k", 600, False), batch_size=200)
model = nn.Sequential(
    nn.Conv2d(1, 16, 5, stride=2),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(32 * 5 * 5, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader)
for epoch in range(11):
    model.train()
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    total, right = 0.0, 0
    with torch.no_grad():
        for images, labels in val_loader:
            out = model(images)
            total += criterion(out, labels).item() / len(val_loader)
            right += (out.argmax(1) == labels).sum().item()
    watch.validated(loss=total, metric=right / 600)
done(watch, right / 600)
