"""Matrix factorisation for film ratings, with a tower for users and one for films.

cause: optim.frozen_params
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

from kit import FIX, SEED, done, dressage

gen = np.random.RandomState(SEED + 3)
n_users, n_films, n_genres = 400, 300, 12
genre = gen.randint(0, n_genres, n_films)
p = gen.randn(n_users, 6)
q = 0.7 * gen.randn(n_genres, 6)[genre] + 0.7 * gen.randn(n_films, 6)
u, f = gen.randint(0, n_users, 30000), gen.randint(0, n_films, 30000)
raw = (
    3.4
    + 0.4 * gen.randn(n_users)[u]
    + 0.4 * gen.randn(n_films)[f]
    + 0.45 * (p[u] * q[f]).sum(1)
    + 0.35 * gen.randn(30000)
)
stars = np.clip((raw * 2).round() / 2, 0.5, 5)

full = TensorDataset(torch.tensor(u), torch.tensor(f), torch.tensor(genre[f]), torch.tensor(stars).float())
train_set, test_set = random_split(full, [25000, 5000])
train_loader = DataLoader(train_set, batch_size=250, shuffle=True)
test_loader = DataLoader(test_set, batch_size=1000)


class Recommender(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.user, self.user_bias = nn.Embedding(n_users, dim), nn.Embedding(n_users, 1)
        film = {
            "title": nn.Embedding(n_films, dim),
            "genre": nn.Embedding(n_genres, dim),
            "bias": nn.Embedding(n_films, 1),
        }
        self.film = nn.ModuleDict(film) if FIX else film
        for table in [self.user, self.user_bias, *film.values()]:
            nn.init.normal_(table.weight, 0, 0.2)
        self.mean = nn.Parameter(torch.tensor(3.0))

    def forward(self, users, films, genres):
        v = self.film["title"](films) + self.film["genre"](genres)
        bias = self.user_bias(users) + self.film["bias"](films)
        return self.mean + bias.squeeze(1) + (self.user(users) * v).sum(1)


model = Recommender()
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-1)
loss_fn = nn.MSELoss()
watch = dressage.watch(model, optimizer, loss_fn)


def test():
    model.eval()
    with torch.no_grad():
        out = torch.cat([model(a, b, g) for a, b, g, _ in test_loader])
    target = torch.cat([r for *_, r in test_loader])
    return loss_fn(out, target).item(), 1 - loss_fn(out, target).item() / target.var().item()


for epoch in range(10):
    model.train()
    for users, films, genres, rating in train_loader:
        loss = loss_fn(model(users, films, genres), rating)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    v, r2 = test()
    watch.validated(loss=v, metric=r2)

done(watch, r2)
