"""Expected number of insurance claims a year, most policies having none."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from kit import SEED, done, dressage


class Policies(Dataset):
    def __init__(self, n, rng):
        self.region = torch.tensor(rng.integers(0, 12, n))
        age, power, bonus = rng.uniform(18, 80, n), rng.normal(0, 1, n), rng.exponential(1.0, n)
        self.x = torch.tensor(np.stack([(age - 49) / 18, power, bonus - 1], 1), dtype=torch.float32)
        level = np.random.default_rng(3).normal(0, 0.6, 12)
        rate = np.exp(
            -2.6 + level[self.region.numpy()] + 1.5 * ((age - 50) / 30) ** 2 + 0.5 * power + 0.55 * np.minimum(bonus, 3)
        )
        self.y = torch.tensor(rng.poisson(rate), dtype=torch.float32)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.region[i], self.y[i]


class ClaimNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.region = nn.Embedding(12, 3)
        self.net = nn.Sequential(nn.Linear(6, 24), nn.SiLU(), nn.Linear(24, 1))

    def forward(self, x, region):
        return self.net(torch.cat([x, self.region(region)], 1)).squeeze(1)


def deviance_explained(log_rate, y):
    dev = lambda mu: 2 * (torch.xlogy(y, y / mu) - (y - mu)).mean()
    return 1 - (dev(log_rate.exp()) / dev(y.mean().expand_as(y))).item()


rng = np.random.default_rng(SEED)
train_loader = DataLoader(Policies(9000, rng), batch_size=128, shuffle=True)
val_loader = DataLoader(Policies(3000, rng), batch_size=3000)
model = ClaimNet()
criterion = nn.PoissonNLLLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=6, gamma=0.3)
watch = dressage.watch(model, optimizer)
for epoch in range(14):
    model.train()
    for x, region, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x, region), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    model.eval()
    with torch.no_grad():
        for x, region, y in val_loader:
            out = model(x, region)
            score = deviance_explained(out, y)
            watch.validated(loss=criterion(out, y).item(), metric=score)
done(watch, score)
