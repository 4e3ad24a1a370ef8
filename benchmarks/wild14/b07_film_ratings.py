"""Recommend films: biased matrix factorisation of a made-up table of ratings.

cause: optim.over_regularised
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(100 + SEED)
U, I, K = 400, 250, 4
pu, qi = rng.normal(0, 0.6, (U, K)), rng.normal(0, 0.6, (I, K))
bu, bi = rng.normal(0, 0.35, U), rng.normal(0, 0.45, I)
pairs = rng.permutation(U * I)[:26000]
u, i = pairs // I, pairs % I
r = np.clip(3.4 + bu[u] + bi[i] + (pu[u] * qi[i]).sum(1) + rng.normal(0, 0.3, len(u)), 1, 5)
X = torch.tensor(np.stack([u, i], 1))
R = torch.tensor(r, dtype=torch.float32)
cut = 22000
train = DataLoader(TensorDataset(X[:cut], R[:cut]), batch_size=256, shuffle=True)
held = DataLoader(TensorDataset(X[cut:], R[cut:]), batch_size=1000)


class MF(nn.Module):
    def __init__(self, k=8):
        super().__init__()
        self.users, self.items = nn.Embedding(U, k), nn.Embedding(I, k)
        self.user_bias, self.item_bias = nn.Embedding(U, 1), nn.Embedding(I, 1)
        self.mean = nn.Parameter(torch.tensor(3.4))
        for e in (self.users, self.items):
            nn.init.normal_(e.weight, std=0.1)
        for e in (self.user_bias, self.item_bias):
            nn.init.zeros_(e.weight)

    def forward(self, x):
        a, b = x[:, 0], x[:, 1]
        dot = (self.users(a) * self.items(b)).sum(1)
        return self.mean + self.user_bias(a)[:, 0] + self.item_bias(b)[:, 0] + dot


model = MF()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-5 if FIX else 1e-2)
mse = nn.MSELoss()
watch = dressage.watch(model, optimizer, mse, train=train, val=held)
for epoch in range(14):
    for x, t in train:
        optimizer.zero_grad()
        loss = mse(model(x), t)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    with torch.no_grad():
        p = torch.cat([model(x) for x, _ in held])
    val = mse(p, R[cut:]).item()
    watch.validated(loss=val)
done(watch, 1 - val / R[cut:].var().item())
