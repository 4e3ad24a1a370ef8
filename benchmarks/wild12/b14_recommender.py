"""A recommender: predict the stars that users give to films from embeddings of both.

cause: model.init_too_large
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.RandomState(SEED)
n_users, n_items, n_ratings = 400, 300, 24000
taste, trait = rng.randn(n_users, 4), rng.randn(n_items, 4)
users, items = rng.randint(n_users, size=n_ratings), rng.randint(n_items, size=n_ratings)
stars = (
    3.4 + 0.4 * rng.randn(n_users)[users] + 0.5 * rng.randn(n_items)[items] + 0.4 * (taste[users] * trait[items]).sum(1)
)
stars = np.clip(np.round(stars + 0.4 * rng.randn(n_ratings)), 1, 5)
u, i, r = torch.tensor(users), torch.tensor(items), torch.tensor(stars).float()
cut = 20000
loader = DataLoader(TensorDataset(u[:cut], i[:cut], r[:cut]), batch_size=200, shuffle=True)
mean = r[:cut].mean()


class Factors(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.user = nn.Embedding(n_users, dim)
        self.item = nn.Embedding(n_items, dim)
        self.user_bias = nn.Embedding(n_users, 1)
        self.item_bias = nn.Embedding(n_items, 1)
        nn.init.zeros_(self.user_bias.weight)
        nn.init.zeros_(self.item_bias.weight)
        if FIX:
            nn.init.normal_(self.user.weight, std=0.1)
            nn.init.normal_(self.item.weight, std=0.1)

    def forward(self, user, item):
        dot = (self.user(user) * self.item(item)).sum(1)
        return mean + dot + self.user_bias(user).squeeze(1) + self.item_bias(item).squeeze(1)


model = Factors()
optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.1)
mse = nn.MSELoss()
watch = dressage.watch(model, optimizer, mse)

for epoch in range(16):
    model.train()
    for bu, bi, br in loader:
        optimizer.zero_grad()
        loss = mse(model(bu, bi), br)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        pred = model(u[cut:], i[cut:])
        val = mse(pred, r[cut:]).item()
        r2 = 1 - val / r[cut:].var().item()
    watch.validated(loss=val, metric=r2)
    print(epoch, round(val, 3), round(r2, 3))

done(watch, r2)
