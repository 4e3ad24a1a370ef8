"""Predict rents from numbers and categories with embeddings, gradients accumulated over four small batches."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import SEED, done, dressage

rng = np.random.default_rng(20 + SEED)
n = 4000
district, kind = rng.integers(0, 25, n), rng.integers(0, 4, n)
level, factor = rng.normal(0, 0.35, 25), np.array([0.0, 0.15, -0.1, 0.3])
size, age, floor = rng.gamma(6, 12, n), rng.uniform(0, 90, n), rng.integers(0, 8, n)
rent = np.exp(
    6
    + level[district]
    + factor[kind]
    + 0.6 * np.log(size / 70)
    + 0.25 * np.cos(age / 90 * 6)
    + 0.02 * floor * (kind == 3)
    + rng.normal(0, 0.12, n)
)
numbers = np.stack([np.log(size), age, floor], 1)
cut = 3000
numbers = (numbers - numbers[:cut].mean(0)) / numbers[:cut].std(0)
log_rent = np.log(rent)
m, s = log_rent[:cut].mean(), log_rent[:cut].std()
N = torch.tensor(np.concatenate([numbers, district[:, None], kind[:, None]], 1), dtype=torch.float32)
Y = torch.tensor((log_rent - m) / s, dtype=torch.float32)[:, None]
train = DataLoader(TensorDataset(N[:cut], Y[:cut]), batch_size=16, shuffle=True, drop_last=True)
val = (N[cut:], Y[cut:])


class RentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.district, self.kind = nn.Embedding(25, 6), nn.Embedding(4, 2)
        self.net = nn.Sequential(
            nn.Linear(11, 48), nn.GELU(), nn.LayerNorm(48), nn.Linear(48, 24), nn.GELU(), nn.Linear(24, 1)
        )

    def forward(self, x):
        return self.net(torch.cat([x[:, :3], self.district(x[:, 3].long()), self.kind(x[:, 4].long())], 1))


model = RentNet()
optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.02)
EPOCHS, ACCUMULATE = 16, 4
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
huber = nn.HuberLoss()
watch = dressage.watch(model, optimizer, huber, train=train, val=val)

for epoch in range(EPOCHS):
    model.train()
    for i, (x, y) in enumerate(train):
        loss = huber(model(x), y)
        (loss / ACCUMULATE).backward()
        if (i + 1) % ACCUMULATE == 0:
            optimizer.step()
            optimizer.zero_grad()
            watch.step(loss)
    optimizer.zero_grad()
    scheduler.step()
    model.eval()
    with torch.no_grad():
        out = model(val[0])
    watch.validated(loss=huber(out, val[1]).item())

done(watch, 1 - ((out - val[1]) ** 2).mean().item() / val[1].var().item())
