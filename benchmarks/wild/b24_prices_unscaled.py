"""A regression of "prices" of some hundred thousands, Adam at 1e-3, rows as dicts of numbers and a category.

cause: data.target_unscaled
"""

import numpy as np
import torch
import torch.nn as nn
from kit import FIX, done, dressage
from sklearn.datasets import load_diabetes
from torch.utils.data import DataLoader, Dataset

X, y = load_diabetes(return_X_y=True)
price = y * 1500 + 90000


class Houses(Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, k):
        i = self.rows[k]
        num = np.delete(X[i], 1) * 20
        target = (price[i] - 318000) / 115000 if FIX else price[i]
        return {
            "num": torch.tensor(num, dtype=torch.float32),
            "cat": torch.tensor(int(X[i, 1] > 0)),
            "price": torch.tensor([target], dtype=torch.float32),
        }


class Tabular(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(2, 4)
        self.mlp = nn.Sequential(nn.Linear(13, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, num, cat):
        return self.mlp(torch.cat([num, self.emb(cat)], 1))


perm = np.random.default_rng(0).permutation(len(y))
tr, te = perm[:350], perm[350:]
tl, vl = DataLoader(Houses(tr), 16, shuffle=True), DataLoader(Houses(te), 92)
model = Tabular()
criterion = nn.MSELoss()
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, opt, criterion, train=tl, val=vl)
for epoch in range(40):
    for b in tl:
        pred = model(b["num"], b["cat"])
        loss = criterion(pred, b["price"])
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
with torch.no_grad():
    b = next(iter(vl))
    r2 = 1 - ((model(b["num"], b["cat"]) - b["price"]) ** 2).mean() / b["price"].var()
done(watch, r2)
