"""Predict film ratings from user and film embeddings and a few numbers of the session.

cause: optim.over_regularised
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from torch import nn

rng = np.random.default_rng(SEED)
USERS, FILMS, N = 250, 150, 12000
taste, kind = rng.normal(size=(USERS, 3)), rng.normal(size=(FILMS, 3))
mood, fame = 0.5 * rng.normal(size=USERS), 0.6 * rng.normal(size=FILMS)
u, f = rng.integers(0, USERS, N), rng.integers(0, FILMS, N)
session = rng.normal(size=(N, 4))
raw = 0.45 * (taste[u] * kind[f]).sum(1) + mood[u] + fame[f] + 0.3 * session[:, 0] + 0.4 * rng.normal(size=N)
stars = np.clip(3.4 + raw, 0.5, 5.0)

u, f = torch.tensor(u), torch.tensor(f)
session = torch.tensor(session, dtype=torch.float32)
target = torch.tensor(stars - 3.4, dtype=torch.float32)
train, val = torch.arange(0, 10000), torch.arange(10000, N)


class Recommender(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.user = nn.Embedding(USERS, dim)
        self.film = nn.Embedding(FILMS, dim)
        self.user_bias = nn.Embedding(USERS, 1)
        self.film_bias = nn.Embedding(FILMS, 1)
        for e in (self.user, self.film, self.user_bias, self.film_bias):
            nn.init.normal_(e.weight, std=0.1)
        self.numbers = nn.Linear(4, 1)

    def forward(self, u, f, s):
        dot = (self.user(u) * self.film(f)).sum(1)
        return dot + self.user_bias(u).squeeze(1) + self.film_bias(f).squeeze(1) + self.numbers(s).squeeze(1)


LAMBDA = 1e-4 if FIX else 1e-3


def penalised(model, output, target):
    mse = nn.functional.mse_loss(output, target)
    return mse + LAMBDA * sum(p.pow(2).sum() for p in model.parameters()), mse


model = Recommender()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
watch = dressage.watch(model, optimizer, nn.functional.mse_loss)

for epoch in range(12):
    model.train()
    for b in train[torch.randperm(len(train))].split(100):
        loss, _ = penalised(model, model(u[b], f[b], session[b]), target[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(u[val], f[val], session[val])
        mse = nn.functional.mse_loss(out, target[val]).item()
        r2 = 1 - mse / target[val].var().item()
    watch.validated(loss=mse, metric=r2)
    print(f"epoch {epoch} val mse {mse:.3f} R2 {r2:.3f}")

done(watch, r2)
