"""Recommend films: factorise a sparse matrix of users' ratings.

cause: model.init_too_large
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(SEED)
USERS, FILMS, RATINGS = 500, 300, 24000
taste, style = rng.normal(size=(USERS, 3)), rng.normal(size=(FILMS, 3))
u, f = rng.integers(0, USERS, RATINGS), rng.integers(0, FILMS, RATINGS)
stars = (
    3.4
    + rng.normal(0, 0.4, USERS)[u]
    + rng.normal(0, 0.5, FILMS)[f]
    + 0.4 * (taste[u] * style[f]).sum(1)
    + rng.normal(0, 0.4, RATINGS)
)
stars = np.clip(np.round(2 * stars) / 2, 0.5, 5).astype(np.float32)
pairs, stars = torch.tensor(np.stack([u, f], 1)), torch.tensor(stars)
cut = int(0.85 * RATINGS)
train_dl = DataLoader(TensorDataset(pairs[:cut], stars[:cut]), batch_size=512, shuffle=True)


class MatrixFactorization(nn.Module):
    def __init__(self, k=32):
        super().__init__()
        self.user, self.film = nn.Embedding(USERS, k), nn.Embedding(FILMS, k)
        self.user_bias, self.film_bias = nn.Embedding(USERS, 1), nn.Embedding(FILMS, 1)
        self.mean = nn.Parameter(stars[:cut].mean())
        if FIX:
            for table in (self.user, self.film, self.user_bias, self.film_bias):
                nn.init.normal_(table.weight, std=0.05)

    def forward(self, pair):
        a, b = pair[:, 0], pair[:, 1]
        return (self.user(a) * self.film(b)).sum(1) + self.user_bias(a)[:, 0] + self.film_bias(b)[:, 0] + self.mean


model = MatrixFactorization()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=2e-4)
watch = dressage.watch(model, optimizer, criterion, train=train_dl, val=(pairs[cut:], stars[cut:]))

for epoch in range(20):
    for pair, target in train_dl:
        optimizer.zero_grad()
        loss = criterion(model(pair), target)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    with torch.no_grad():
        val = criterion(model(pairs[cut:]), stars[cut:]).item()
    watch.validated(loss=val)

done(watch, 1 - val / stars[cut:].var().item())
