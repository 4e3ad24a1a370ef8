"""Predict the price of a flat from its size, its year, its floor and where it is.

cause: data.split_shift
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

rs = np.random.RandomState(40 + SEED)
centres = rs.uniform(-6, 6, (10, 2))
level = rs.normal(0, 0.6, 10)


def flats(n):
    d = np.sort(rs.randint(0, 10, n))  # the land register lists district by district
    where = centres[d] + 0.4 * rs.randn(n, 2)
    size = rs.gamma(6, 13, n)
    year = rs.randint(1900, 2024, n)
    floor = rs.randint(0, 9, n)
    rooms = np.maximum(1, (size / 27 + rs.randn(n) * 0.6).round())
    logp = np.log(size) * 0.9 + level[d] + 0.15 * np.cos((year - 1900) / 20) + 0.03 * floor - 0.05 * np.abs(rooms - 3)
    logp += 0.08 * rs.randn(n)
    return np.column_stack([size, year, floor, rooms, where]), logp


X, y = flats(3000)
X_new, y_new = flats(800)
if FIX:
    shuffle = rs.permutation(len(X))
    X, y = X[shuffle], y[shuffle]
cut = int(0.7 * len(X))
scaler = StandardScaler().fit(X[:cut])
mu, sd = y[:cut].mean(), y[:cut].std()


def pack(a, b):
    return TensorDataset(torch.tensor(scaler.transform(a)).float(), torch.tensor((b - mu) / sd).float()[:, None])


train_loader = DataLoader(pack(X[:cut], y[:cut]), batch_size=50, shuffle=True)
val_loader = DataLoader(pack(X[cut:], y[cut:]), batch_size=200)
new = pack(X_new, y_new)

model = nn.Sequential(nn.Linear(6, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
opt = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=1e-2)
loss_fn = nn.MSELoss()
watch = dressage.watch(model, opt, loss_fn, train=train_loader, val=val_loader)

for epoch in range(30):
    model.train()
    for a, b in train_loader:
        opt.zero_grad()
        loss = loss_fn(model(a), b)
        loss.backward()
        opt.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        v = sum(loss_fn(model(a), b).item() * len(a) for a, b in val_loader) / (len(X) - cut)
    watch.validated(loss=v)

with torch.no_grad():
    pred = model(new.tensors[0]).squeeze(1).numpy() * sd + mu
done(watch, r2_score(y_new, pred))
