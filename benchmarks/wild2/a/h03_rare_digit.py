"""Finding the rare digit 6 among the others (one in 31), without weights; scored by F1."""

import numpy as np
import torch
import torch.nn as nn
from kit import done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset


def rare(part, n):
    x, y = idx("mnist", part, n)
    six = np.flatnonzero(y == 6)
    keep = np.concatenate([np.flatnonzero(y != 6), six[: len(six) * 3 // 10]])
    x, y = x[keep], y[keep] == 6
    return torch.tensor(x)[:, None] / 255.0, torch.tensor(y).float()[:, None]


x, y = rare("train", 6000)
xt, yt = rare("t10k", 3000)
print("share of sixes", y.mean().item())
loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
model = nn.Sequential(
    nn.Conv2d(1, 8, 5, stride=2),
    nn.ReLU(),
    nn.Conv2d(8, 16, 5, stride=2),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(256, 1),
)
bce = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
watch = dressage.watch(model, optimizer, bce, train=loader, val=(xt, yt))
for epoch in range(6):
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = bce(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    p = (model(xt) > 0).float()
tp = (p * yt).sum()
done(watch, 2 * tp / (p.sum() + yt.sum()))
