"""A recommender: how will a reader rate a book? Factors of readers and books, learned from 1 to 5 stars.

cause: optim.over_regularised
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

READERS, BOOKS, RATINGS = 300, 200, 18000
rng = np.random.default_rng(7 + SEED)
taste, style = rng.normal(0, 1, (READERS, 3)), rng.normal(0, 1, (BOOKS, 3))
mood, quality = rng.normal(0, 0.4, READERS), rng.normal(0, 0.5, BOOKS)
pairs = rng.permutation(READERS * BOOKS)[:RATINGS]
reader, book = pairs // BOOKS, pairs % BOOKS
stars = 3.3 + mood[reader] + quality[book] + 0.45 * (taste[reader] * style[book]).sum(1) + rng.normal(0, 0.35, RATINGS)
stars = np.clip(np.round(stars), 1, 5).astype(np.float32)

ids = torch.from_numpy(np.stack([reader, book], 1))
y = torch.from_numpy(stars)
cut = int(RATINGS * 0.8)
train = DataLoader(TensorDataset(ids[:cut], y[:cut]), batch_size=128, shuffle=True)
test = DataLoader(TensorDataset(ids[cut:], y[cut:]), batch_size=1000)


class Factors(nn.Module):
    def __init__(self, k=4):
        super().__init__()
        self.reader, self.book = nn.Embedding(READERS, k), nn.Embedding(BOOKS, k)
        self.reader_bias, self.book_bias = nn.Embedding(READERS, 1), nn.Embedding(BOOKS, 1)
        nn.init.normal_(self.reader.weight, 0, 0.3)
        nn.init.normal_(self.book.weight, 0, 0.3)
        nn.init.zeros_(self.reader_bias.weight)
        nn.init.zeros_(self.book_bias.weight)
        self.register_buffer("mean", y[:cut].mean())

    def forward(self, ids):
        r, b = ids[:, 0], ids[:, 1]
        dot = (self.reader(r) * self.book(b)).sum(1)
        return self.mean + dot + self.reader_bias(r)[:, 0] + self.book_bias(b)[:, 0]


model = Factors()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-5 if FIX else 2e-3)
mse = nn.MSELoss()
watch = dressage.watch(model, optimizer, mse, train=train, val=test)

for epoch in range(14):
    model.train()
    for pair, star in train:
        optimizer.zero_grad()
        loss = mse(model(pair), star)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        error = mse(torch.cat([model(pair) for pair, _ in test]), y[cut:]).item()
    watch.validated(loss=error)
    print(epoch, round(loss.item(), 3), round(error, 3))

done(watch, 1 - error / y[cut:].var().item())
