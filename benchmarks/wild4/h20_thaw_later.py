"""A trunk of other classes: its head alone for four rounds, then all of it at a smaller rate (chance .2)."""

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("mnist", "train", 4000)
xt, yt = idx("mnist", "t10k", 2000)


def part(a, b, n, high):
    keep = (b >= 5) == high
    a = torch.tensor(a[keep][:n] / 255 - 0.13, dtype=torch.float32).unsqueeze(1) / 0.31
    return TensorDataset(a, torch.tensor(b[keep][:n]) - 5 * high)


trunk = nn.Sequential(
    nn.Conv2d(1, 12, 5, stride=2), nn.ReLU(), nn.Conv2d(12, 24, 5, stride=2), nn.ReLU(), nn.Flatten(),
    nn.Linear(384, 64), nn.ReLU(),
)  # fmt: skip
old = nn.Sequential(trunk, nn.Linear(64, 5))
optimizer = torch.optim.Adam(old.parameters(), lr=2e-3)
for epoch in range(3):
    for a, b in DataLoader(part(x, y, 1500, False), 50, shuffle=True):
        optimizer.zero_grad()
        F.cross_entropy(old(a), b).backward()
        optimizer.step()

train, val = part(x, y, 600, True), part(xt, yt, 700, True)
model = nn.Sequential(trunk, nn.Linear(64, 5))
for p in trunk.parameters():
    p.requires_grad_(False)
optimizer = torch.optim.Adam(model[1].parameters(), lr=5e-3)
watch = dressage.watch(model, optimizer, F.cross_entropy, train=train, val=val)
for epoch in range(12):
    if epoch == 4:
        for p in trunk.parameters():
            p.requires_grad_(True)
        optimizer.param_groups[0]["lr"] = 2e-3
        optimizer.add_param_group({"params": trunk.parameters(), "lr": 5e-4})
    for a, b in DataLoader(train, batch_size=30, shuffle=True):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(a), b)
        loss.backward()
        optimizer.step()
        watch.step(loss)
a, b = val[:]
with torch.no_grad():
    done(watch, (model(a).argmax(1) == b).float().mean())
