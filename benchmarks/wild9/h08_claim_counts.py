"""How many claims does a contract bring in a year? Mostly none (made up); Poisson loss with the exposure as an offset."""

import numpy as np
import torch
from sklearn.metrics import d2_tweedie_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import SEED, done, dressage

rng = np.random.default_rng(80 + SEED)
n = 9000
age, power, town = rng.uniform(18, 80, n), rng.gamma(4, 25, n), rng.integers(0, 12, n)
exposure = rng.uniform(0.2, 1.0, n)
town_effect = rng.normal(0, 0.5, 12)
log_rate = -2.2 + 2.2 * np.exp(-(age - 18) / 12) + 0.9 * np.tanh((power - 100) / 40) + town_effect[town]
claims = rng.poisson(exposure * np.exp(log_rate))

numbers = np.column_stack([(age - 49) / 18, (power - 100) / 50, np.log(exposure)]).astype(np.float32)
X = torch.from_numpy(np.column_stack([numbers, town]).astype(np.float32))
Y = torch.from_numpy(claims.astype(np.float32))


class Claims(nn.Module):
    def __init__(self):
        super().__init__()
        self.town = nn.Embedding(12, 3)
        self.net = nn.Sequential(nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1))
        nn.init.constant_(self.net[-1].bias, -2.0)

    def forward(self, x):
        h = torch.cat([x[:, :2], self.town(x[:, 3].long())], 1)
        return self.net(h).squeeze(1) + x[:, 2]


train = DataLoader(TensorDataset(X[:7000], Y[:7000]), batch_size=128, shuffle=True)
val = DataLoader(TensorDataset(X[7000:], Y[7000:]), batch_size=500)
model = Claims()
loss_fn = nn.PoissonNLLLoss(log_input=True)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)
watch = dressage.watch(model, optimizer, loss_fn, train=train, val=val)

for epoch in range(12):
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    schedule.step()
    model.eval()
    with torch.no_grad():
        out = torch.cat([model(x) for x, _ in val])
    watch.validated(loss=loss_fn(out, Y[7000:]).item())

done(watch, d2_tweedie_score(claims[7000:], out.exp().numpy(), power=1))
