"""Predict monthly rents from a listing table with categories (embedding layers) and numbers; made-up market."""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage

rng = np.random.default_rng(5)
N = 5000
district = rng.integers(0, 40, N)
kind = rng.integers(0, 5, N)
heating = rng.integers(0, 4, N)
area = np.clip(rng.lognormal(4.1, 0.35, N), 18, 220)
floor = rng.integers(0, 9, N)
year = rng.integers(1900, 2022, N)
district_effect, kind_effect = rng.normal(0, 0.25, 40), rng.normal(0, 0.12, 5)
log_rent = (
    6.4
    + 0.75 * np.log(area / 60)
    + district_effect[district]
    + kind_effect[kind]
    + 0.05 * (heating == 2)
    + 0.015 * floor * (kind != 3)
    + 0.12 * np.abs((year - 1955) / 60)
    + rng.normal(0, 0.10, N)
)
rent = np.exp(log_rent)

is_test = np.arange(N) % 5 == 0
cat = torch.tensor(np.stack([district, kind, heating], 1))
num = np.stack([np.log(area), floor, year], 1)
num = torch.tensor((num - num[~is_test].mean(0)) / num[~is_test].std(0), dtype=torch.float32)
centre = np.log(rent[~is_test]).mean()
target = torch.tensor((np.log(rent) - centre) / 0.4, dtype=torch.float32)
te = torch.tensor(is_test)


class TabularNet(nn.Module):
    def __init__(self, cards=(40, 5, 4), dims=(8, 3, 2)):
        super().__init__()
        self.embeds = nn.ModuleList(nn.Embedding(c, d) for c, d in zip(cards, dims))
        self.mlp = nn.Sequential(
            nn.Linear(sum(dims) + 3, 64), nn.SiLU(), nn.Linear(64, 32), nn.SiLU(), nn.Linear(32, 1)
        )

    def forward(self, c, x):
        e = [emb(c[:, i]) for i, emb in enumerate(self.embeds)]
        return self.mlp(torch.cat(e + [x], 1)).squeeze(1)


model = TabularNet()
dl = DataLoader(TensorDataset(cat[~te], num[~te], target[~te]), batch_size=64, shuffle=True)
EPOCHS = 16
opt = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.05)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, EPOCHS)
crit = nn.SmoothL1Loss()
watch = dressage.watch(model, opt)

for epoch in range(EPOCHS):
    model.train()
    for c, x, t in dl:
        opt.zero_grad()
        loss = crit(model(c, x), t)
        loss.backward()
        opt.step()
        watch.step(loss)
    sched.step()
    model.eval()
    with torch.no_grad():
        p = model(cat[te], num[te])
    r2 = 1 - ((p - target[te]) ** 2).mean().item() / target[te].var().item()
    watch.validated(loss=crit(p, target[te]).item(), metric=r2)
    print(epoch, f"{loss.item():.4f} R2 {r2:.4f}")

euros = torch.exp(p * 0.4 + centre).numpy()
print("median error in euros", np.median(np.abs(euros - rent[is_test])))
done(watch, r2)
