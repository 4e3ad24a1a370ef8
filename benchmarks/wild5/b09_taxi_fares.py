"""Taxi fares from where and when: four coordinates and the hour.

cause: model.missing_nonlinearity
"""

import numpy as np
import torch
import torch.nn as nn
from kit import FIX, SEED, done, dressage
from torch.utils.data import DataLoader, TensorDataset, random_split

rng = np.random.RandomState(SEED)
n = 4000
pick = rng.randn(n, 2) * [4.0, 6.0]
drop = rng.randn(n, 2) * [4.0, 6.0]
hour = rng.randint(0, 24, n)
rush = ((hour > 6) & (hour < 10)) | ((hour > 15) & (hour < 19))
fare = 2.5 + 1.6 * np.abs(pick - drop).sum(1) * (1 + 0.3 * rush) + rng.randn(n)
X = np.column_stack([pick, drop, np.sin(hour / 24 * 2 * np.pi), np.cos(hour / 24 * 2 * np.pi)])
X = torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32)
y = torch.tensor((fare - fare.mean()) / fare.std(), dtype=torch.float32).view(-1, 1)
train, val = random_split(TensorDataset(X, y), [3200, 800])


class FareNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 100)
        self.bn1 = nn.BatchNorm1d(100)
        self.fc2 = nn.Linear(100, 50)
        self.bn2 = nn.BatchNorm1d(50)
        self.out = nn.Linear(50, 1)
        self.act = nn.ReLU() if FIX else nn.Identity()

    def forward(self, x):
        x = self.act(self.bn1(self.fc1(x)))
        x = self.act(self.bn2(self.fc2(x)))
        return self.out(x)


model = FareNet()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=train, val=val)
for epoch in range(12):
    model.train()
    for xb, yb in DataLoader(train, batch_size=64, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
model.eval()
xv, yv = X[val.indices], y[val.indices]
with torch.no_grad():
    done(watch, 1 - criterion(model(xv), yv) / yv.var())
