"""Regress a yield from ten process settings.

cause: loss.shape_broadcast
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from sklearn.datasets import make_friedman1
from sklearn.metrics import r2_score
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Settings(Dataset):
    def __init__(self, X, y):
        self.X = torch.as_tensor(X, dtype=torch.float32)
        self.y = torch.as_tensor(y, dtype=torch.float32)

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        return self.X[i], self.y[i]


X, y = make_friedman1(2400, n_features=10, noise=1.0, random_state=SEED)
X = (X - 0.5) * 3.46
y = (y - y[:1800].mean()) / y[:1800].std()
train_dl = DataLoader(Settings(X[:1800], y[:1800]), batch_size=50, shuffle=True)
val_dl = DataLoader(Settings(X[1800:], y[1800:]), batch_size=200)


class Regressor(nn.Module):
    def __init__(self, n_in, hidden=64):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_in, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.out = nn.Linear(hidden, 1)

    def forward(self, x):
        z = self.out(self.body(x))
        return z.squeeze(-1) if FIX else z


model = Regressor(10)
criterion = nn.SmoothL1Loss()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)


def r2(output, target):
    return r2_score(target.reshape(-1).numpy(), output.reshape(-1).detach().numpy())


watch = dressage.watch(model, optimizer, criterion, train=train_dl, val=val_dl, metric=r2)

for epoch in range(20):
    model.train()
    for xb, yb in train_dl:
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)

    model.eval()
    preds, losses = [], []
    with torch.no_grad():
        for xb, yb in val_dl:
            out = model(xb)
            losses.append(criterion(out, yb).item())
            preds.append(out)
    score = r2(torch.cat(preds), torch.as_tensor(y[1800:]))
    watch.validated(loss=float(np.mean(losses)), metric=score)

done(watch, score)
