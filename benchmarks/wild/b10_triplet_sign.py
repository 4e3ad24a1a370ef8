"""Metric learning: a triplet loss of one's own with positive and negative swapped.

cause: loss.wrong_sign
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, Dataset

x, y = idx("mnist", "train", 2500)
x = x.reshape(len(x), -1).astype(np.float32) / 255


class Triplets(Dataset):
    def __init__(self, x, y):
        self.x, self.y = torch.from_numpy(x), y
        self.by = {c: np.flatnonzero(y == c) for c in range(10)}

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        c = self.y[i]
        p = np.random.choice(self.by[c])
        n = np.random.choice(self.by[(c + np.random.randint(1, 10)) % 10])
        return self.x[i], self.x[p], self.x[n]


class TripletLoss(nn.Module):
    def __init__(self, margin=0.5):
        super().__init__()
        self.margin = margin

    def forward(self, a, p, n):
        d_ap, d_an = (a - p).pow(2).sum(1), (a - n).pow(2).sum(1)
        return F.relu((d_ap - d_an if FIX else d_an - d_ap) + self.margin).mean()


class Embed(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 16))

    def forward(self, x):
        return F.normalize(self.net(x), dim=1)


model, criterion = Embed(), TripletLoss()
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
loader = DataLoader(Triplets(x[:2000], y[:2000]), batch_size=64, shuffle=True)
watch = dressage.watch(model, opt, criterion, train=loader)
for epoch in range(12):
    for a, p, n in loader:
        opt.zero_grad()
        loss = criterion(model(a), model(p), model(n))
        loss.backward()
        opt.step()
        watch.step(loss)
with torch.no_grad():
    e, q = model(torch.from_numpy(x[:2000])), model(torch.from_numpy(x[2000:]))
    acc = (torch.tensor(y[:2000])[torch.cdist(q, e).argmin(1)] == torch.tensor(y[2000:])).float().mean()
done(watch, acc)
