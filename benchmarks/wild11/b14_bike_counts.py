"""How many bikes are hired in an hour? Poisson regression with a network.

cause: model.missing_nonlinearity
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.metrics import d2_tweedie_score
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

rng = np.random.RandomState(SEED)
n = 4000
hour, weekday = rng.randint(0, 24, n), rng.randint(0, 7, n)
temp, rain, wind = rng.normal(14, 8, n), rng.exponential(0.5, n) * (rng.rand(n) < 0.3), rng.gamma(3, 1.5, n)
work = weekday < 5
rush = 1.5 * np.exp(-((hour - 8) ** 2) / 4) + 1.7 * np.exp(-((hour - 17.5) ** 2) / 6)
leisure = 1.6 * np.exp(-((hour - 14) ** 2) / 20)
log_rate = 1.0 + np.where(work, rush, leisure) - 0.003 * (temp - 21) ** 2 - 0.5 * np.minimum(rain, 2) - 0.03 * wind
count = rng.poisson(np.exp(log_rate))

clock, week = 2 * np.pi * hour / 24, 2 * np.pi * weekday / 7
X = np.column_stack(
    [np.sin(clock), np.cos(clock), np.sin(week), np.cos(week), work, (temp - 14) / 8, rain, (wind - 4.5) / 2.6]
)
X, Y = torch.tensor(X).float(), torch.tensor(count).float()
train, val, test = slice(0, 2800), slice(2800, 3300), slice(3300, n)


class CountNet(nn.Module):
    def __init__(self, n_in, widths=(64, 64)):
        super().__init__()
        layers = []
        for w in widths:
            layers.append(nn.Linear(n_in, w))
            if FIX:
                layers.append(nn.ReLU())
            n_in = w
        self.body = nn.Sequential(*layers)
        self.log_rate = nn.Linear(n_in, 1)

    def forward(self, x):
        return self.log_rate(self.body(x)).squeeze(-1)


model = CountNet(X.shape[1])
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 25)
loss_fn = nn.PoissonNLLLoss(log_input=True)
train_loader = DataLoader(TensorDataset(X[train], Y[train]), batch_size=64, shuffle=True)
val_loader = DataLoader(TensorDataset(X[val], Y[val]), batch_size=500)
watch = dressage.watch(model, optimizer, loss_fn, train=train_loader, val=val_loader)

for epoch in range(25):
    model.train()
    for a, b in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(a), b)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    model.eval()
    with torch.no_grad():
        watch.validated(loss=loss_fn(model(X[val]), Y[val]).item())

with torch.no_grad():
    rate = model(X[test]).exp().numpy()
done(watch, d2_tweedie_score(count[test], rate, power=1))
