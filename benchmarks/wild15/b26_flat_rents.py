"""Yearly rent of flats from a table with district and type as embeddings.

cause: data.target_unscaled
"""

import numpy as np
import torch
import torch.nn as nn

from kit import FIX, SEED, done, dressage

config = {"epochs": 40, "bs": 64, "lr": 1e-3, "emb": 6}
rng = np.random.default_rng(SEED)
N = 4000
district = rng.integers(0, 20, N)
kind = rng.integers(0, 5, N)
area = rng.gamma(9, 8, N)
rooms = np.clip(np.round(area / 25 + rng.normal(0, 0.6, N)), 1, 7)
floor = rng.integers(0, 9, N)
year = rng.integers(1900, 2024, N)
per_m2 = rng.uniform(90, 260, 20)
factor = np.array([1.0, 1.15, 0.9, 1.3, 1.05])
rent = (
    area * per_m2[district] * factor[kind] * (1 + 0.02 * floor)
    + 900 * rooms
    + 12 * np.abs(year - 1960)
    + rng.normal(0, 900, N)
)

numeric = np.stack([area, rooms, floor, year], 1)
order = rng.permutation(N)
tr, te = order[:3200], order[3200:]
numeric = (numeric - numeric[tr].mean(0)) / numeric[tr].std(0)
features = torch.tensor(np.column_stack([district, kind, numeric]), dtype=torch.float32)
target = rent.astype(np.float32)
if FIX:
    shift, scale = target[tr].mean(), target[tr].std()
    target = (target - shift) / scale
target = torch.from_numpy(target).unsqueeze(1)
Xtr, ytr, Xte, yte = features[tr], target[tr], features[te], target[te]


class RentModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.district = nn.Embedding(20, config["emb"])
        self.kind = nn.Embedding(5, 3)
        self.body = nn.Sequential(
            nn.Linear(config["emb"] + 3 + 4, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1)
        )

    def forward(self, x):
        d, k = self.district(x[:, 0].long()), self.kind(x[:, 1].long())
        return self.body(torch.cat([d, k, x[:, 2:]], dim=1))


def r_squared(pred, true):
    return (1 - (pred - true).pow(2).sum() / (true - true.mean()).pow(2).sum()).item()


model = RentModel()
optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
loss_fn = nn.MSELoss()
watch = dressage.watch(model, optimizer, loss_fn, train=(Xtr, ytr), val=(Xte, yte), metric=r_squared)

for epoch in range(config["epochs"]):
    model.train()
    for idx in torch.randperm(len(Xtr)).split(config["bs"]):
        optimizer.zero_grad()
        loss = loss_fn(model(Xtr[idx]), ytr[idx])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        pred = model(Xte)
    val_loss, r2 = loss_fn(pred, yte).item(), r_squared(pred, yte)
    watch.validated(loss=val_loss, metric=r2)
    if epoch % 5 == 4:
        print(epoch + 1, f"{val_loss:.4g}", f"R2 {r2:.4f}")
done(watch, r2)
