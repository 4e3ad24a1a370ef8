"""Ratings from user and item ids: a factorisation with biases, with the L2 of the embeddings added to the loss by hand.

cause: optim.over_regularised
"""

import numpy as np
import torch
from kit import FIX, done, dressage
from torch import nn
from torch.utils.data import DataLoader, Dataset

N_USERS, N_ITEMS, DIM = 400, 250, 8
rng = np.random.default_rng(3)
taste, genre = rng.normal(size=(N_USERS, 4)), rng.normal(size=(N_ITEMS, 4))
u = rng.integers(0, N_USERS, 14000)
i = rng.integers(0, N_ITEMS, 14000)
quality, kindness = rng.normal(0, 0.4, N_ITEMS), rng.normal(0, 0.4, N_USERS)
r = 3.3 + quality[i] + kindness[u] + 0.45 * (taste[u] * genre[i]).sum(1) + rng.normal(0, 0.3, len(u))
r = np.clip(np.round(r * 2) / 2, 0.5, 5.0)


class Ratings(Dataset):
    def __init__(self, rows):
        self.u, self.i = torch.tensor(u[rows]), torch.tensor(i[rows])
        self.r = torch.tensor(r[rows], dtype=torch.float32)

    def __len__(self):
        return len(self.r)

    def __getitem__(self, k):
        return {"user": self.u[k], "item": self.i[k], "rating": self.r[k]}


class MF(nn.Module):
    def __init__(self, mean):
        super().__init__()
        self.user = nn.Embedding(N_USERS, DIM)
        self.item = nn.Embedding(N_ITEMS, DIM)
        self.user_bias = nn.Embedding(N_USERS, 1)
        self.item_bias = nn.Embedding(N_ITEMS, 1)
        self.mean = nn.Parameter(torch.tensor(mean))
        for e in (self.user, self.item):
            nn.init.normal_(e.weight, std=0.1)
        for e in (self.user_bias, self.item_bias):
            nn.init.zeros_(e.weight)

    def forward(self, user, item):
        dot = (self.user(user) * self.item(item)).sum(1)
        return dot + self.user_bias(user).squeeze(1) + self.item_bias(item).squeeze(1) + self.mean


train_set, test_set = Ratings(slice(0, 12000)), Ratings(slice(12000, None))
loader = DataLoader(train_set, batch_size=128, shuffle=True)
test_loader = DataLoader(test_set, batch_size=1000)
model = MF(float(train_set.r.mean()))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
criterion = nn.MSELoss()
reg = 1e-5 if FIX else 1e-2
watch = dressage.watch(model, optimizer, criterion)

for epoch in range(8):
    model.train()
    total = 0.0
    for batch in loader:
        pred = model(batch["user"], batch["item"])
        loss = criterion(pred, batch["rating"])
        loss = loss + reg * sum(p.pow(2).sum() for p in model.parameters() if p.ndim > 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
        total += loss.item()
    print(f"epoch {epoch}: {total / len(loader):.4f}")

model.eval()
with torch.no_grad():
    batches = [(model(b["user"], b["item"]), b["rating"]) for b in test_loader]
pred, true = torch.cat([a for a, _ in batches]), torch.cat([b for _, b in batches])
done(watch, 1 - (pred - true).pow(2).mean() / true.var())
