"""How many bicycles are hired in an hour, from weather, hour and day: a Poisson regression network.

cause: loss.shape_broadcast
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, random_split

from kit import FIX, SEED, done, dressage


class Hires(Dataset):
    def __init__(self, n=7500):
        rng = np.random.default_rng(SEED)
        hour = rng.integers(0, 24, n)
        weekend = (rng.integers(0, 7, n) >= 5).astype(float)
        temp = rng.normal(13, 8, n)
        rain = np.maximum(rng.normal(-0.5, 1, n), 0)
        wind = rng.gamma(3, 1.2, n)
        rush = np.exp(-(((hour - 8) / 1.6) ** 2)) + 1.2 * np.exp(-(((hour - 17.5) / 2) ** 2))
        leisure = np.exp(-(((hour - 14) / 4) ** 2))
        rate = np.exp(
            0.4
            + 1.6 * (rush * (1 - weekend) + 1.1 * leisure * weekend)
            + 0.05 * (temp - 13)
            - 0.0015 * (temp - 13) ** 2
            - 0.7 * rain
            - 0.06 * wind
        )
        self.counts = torch.tensor(rng.poisson(rate), dtype=torch.float32)
        h = hour / 24 * 2 * np.pi
        cols = [
            np.sin(h),
            np.cos(h),
            np.sin(2 * h),
            np.cos(2 * h),
            np.sin(3 * h),
            np.cos(3 * h),
            weekend,
            (temp - 13) / 8,
            rain / 0.5 - 0.4,
            (wind - 3.6) / 2,
        ]
        self.features = torch.tensor(np.stack(cols, 1), dtype=torch.float32)

    def __len__(self):
        return len(self.counts)

    def __getitem__(self, i):
        return self.features[i], self.counts[i]


class CountNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(10, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))

    def forward(self, x):
        log_rate = self.layers(x)
        return log_rate.squeeze(1) if FIX else log_rate


def explained(output, target):
    """Share of the variance of the counts that the predicted rates explain."""
    rate = output.exp().view(-1)
    return float(1 - ((target - rate) ** 2).mean() / target.var(unbiased=False))


train_set, val_set = random_split(Hires(), [6000, 1500], generator=torch.Generator().manual_seed(SEED))
train_loader = DataLoader(train_set, batch_size=100, shuffle=True)
val_loader = DataLoader(val_set, batch_size=1500)
model = CountNet()
poisson = nn.PoissonNLLLoss(log_input=True)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
watch = dressage.watch(model, optimizer, poisson, train=train_loader, val=val_loader, metric=explained)

for epoch in range(20):
    model.train()
    for features, counts in train_loader:
        optimizer.zero_grad()
        loss = poisson(model(features), counts)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        for features, counts in val_loader:
            out = model(features)
            score = explained(out, counts)
            watch.validated(loss=poisson(out, counts).item(), metric=score)

done(watch, score)
