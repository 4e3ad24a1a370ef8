"""Predict the heating demand of buildings from twelve measurements (made-up table).

cause: loss.shape_broadcast
"""

import numpy as np
import torch
from sklearn.metrics import r2_score
from torch import nn
from torch.utils.data import DataLoader, Dataset

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(100 + SEED)
n = 3000
X = rng.normal(size=(n, 12)).astype(np.float32)
demand = (
    1.2 * X[:, 0]
    + np.sin(2 * X[:, 1])
    + 0.8 * X[:, 2] * X[:, 3]
    + np.abs(X[:, 4])
    - 0.5 * X[:, 5]
    + 0.4 * rng.normal(size=n)
)
demand = ((demand - demand[:2200].mean()) / demand[:2200].std()).astype(np.float32)


class Buildings(Dataset):
    def __init__(self, rows):
        self.x = torch.from_numpy(X[rows])
        self.y = torch.from_numpy(demand[rows])

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


train_dl = DataLoader(Buildings(slice(0, 2200)), batch_size=64, shuffle=True)
val_dl = DataLoader(Buildings(slice(2200, n)), batch_size=200)

model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
if FIX:
    model.append(nn.Flatten(0))
mse = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
watch = dressage.watch(model, optimizer, mse, train=train_dl, val=val_dl)

for epoch in range(32):
    model.train()
    for x, y in train_dl:
        optimizer.zero_grad()
        loss = mse(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    preds, truth, total = [], [], 0.0
    with torch.no_grad():
        for x, y in val_dl:
            p = model(x)
            total += mse(p, y).item() * len(y)
            preds.append(p.flatten())
            truth.append(y)
    r2 = r2_score(torch.cat(truth).numpy(), torch.cat(preds).numpy())
    watch.validated(loss=total / 800)

done(watch, r2)
