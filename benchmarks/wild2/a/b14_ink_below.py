"""How much ink is in the lower half of a digit, seen from its upper half: a small CNN.

cause: loss.shape_broadcast
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, Dataset


class Halves(Dataset):
    def __init__(self, part, n, mean=None, std=None):
        x, _ = idx("mnist", part, n)
        x = torch.tensor(x) / 255.0
        self.upper, ink = x[:, None, :14], x[:, 14:].mean((1, 2))
        self.mean, self.std = (ink.mean(), ink.std()) if mean is None else (mean, std)
        self.ink = (ink - self.mean) / self.std

    def __len__(self):
        return len(self.upper)

    def __getitem__(self, i):
        return self.upper[i], self.ink[i]


train = Halves("train", 4000)
val = Halves("t10k", 800, train.mean, train.std)
train_dl, val_dl = DataLoader(train, 64, shuffle=True), DataLoader(val, 200)

model = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 8, 3, padding=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(8 * 7 * 14, 32),
    nn.ReLU(),
    nn.Linear(32, 1),
)
if FIX:
    model.append(nn.Flatten(0))


def mse(pred, target):
    return ((pred - target) ** 2).mean()


optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, mse, train=train_dl, val=val_dl)
for epoch in range(8):
    for xb, yb in train_dl:
        loss = mse(model(xb), yb)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        watch.step(loss)
with torch.no_grad():
    pred = torch.cat([model(xb).flatten() for xb, _ in val_dl])
r2 = 1 - ((pred - val.ink) ** 2).mean() / val.ink.var()
done(watch, r2)
