"""Matrix factorisation: pictures are the users, pixels the items, a fifth of the ratings is known.

cause: optim.lr_too_low
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

x, _ = idx("fashion-mnist", "train", 250)
ratings = torch.tensor(x).float().flatten(1) / 255 * 5
users, items = ratings.shape
known = torch.rand(users, items)
u, i = (known < 0.2).nonzero(as_tuple=True)
train = TensorDataset(torch.stack([u, i], 1), ratings[u, i])
u, i = (known > 0.95).nonzero(as_tuple=True)
val = (torch.stack([u, i], 1), ratings[u, i])


class MF(nn.Module):
    def __init__(self, n_users, n_items, k=12):
        super().__init__()
        self.user, self.item = nn.Embedding(n_users, k), nn.Embedding(n_items, k)
        self.user_bias, self.item_bias = nn.Embedding(n_users, 1), nn.Embedding(n_items, 1)
        for e in (self.user, self.item):
            nn.init.normal_(e.weight, std=0.1)
        for e in (self.user_bias, self.item_bias):
            nn.init.zeros_(e.weight)
        self.mean = nn.Parameter(torch.zeros(1))

    def forward(self, pairs):
        u, i = pairs[:, 0], pairs[:, 1]
        dot = (self.user(u) * self.item(i)).sum(1)
        return dot + self.user_bias(u).squeeze(1) + self.item_bias(i).squeeze(1) + self.mean


model = MF(users, items)
optimizer = torch.optim.Adagrad(model.parameters(), lr=0.2 if FIX else 1e-3)
criterion = nn.MSELoss()
loader = DataLoader(train, batch_size=512, shuffle=True)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=val)
for epoch in range(10):
    total = 0
    for pairs, r in loader:
        optimizer.zero_grad()
        loss = criterion(model(pairs), r)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        total += loss.item()
    print(epoch, total / len(loader))
with torch.no_grad():
    done(watch, 1 - criterion(model(val[0]), val[1]) / val[1].var())
