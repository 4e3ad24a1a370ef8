"""Insurance claims per policy: mostly zeros, a Poisson network with exposure and two inputs (categories, numbers)."""

import numpy as np
import torch
from kit import SEED, done, dressage
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.RandomState(SEED)
n = 12000
region, car = rng.randint(12, size=n), rng.randint(8, size=n)
num = rng.randn(n, 4).astype(np.float32)
exposure = rng.uniform(0.2, 1.0, n)
effect_region, effect_car = 0.7 * rng.randn(12), 0.5 * rng.randn(8)
log_rate = (
    -1.4
    + effect_region[region]
    + effect_car[car]
    + 0.6 * num[:, 0]
    + 0.5 * (num[:, 1] ** 2 - 1)
    - 0.4 * num[:, 2] * (region < 6)
)
claims = rng.poisson(exposure * np.exp(np.clip(log_rate, -6, 2.5)))
print("zeros:", (claims == 0).mean())

cats = torch.tensor(np.stack([region, car], 1))
nums = torch.tensor(num)
log_e = torch.tensor(np.log(exposure)).float()
y = torch.tensor(claims).float()
tr, va = slice(0, 9000), slice(9000, n)


class ClaimNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.region, self.car = nn.Embedding(12, 4), nn.Embedding(8, 3)
        self.mlp = nn.Sequential(nn.Linear(11, 32), nn.GELU(), nn.Linear(32, 16), nn.GELU(), nn.Linear(16, 1))

    def forward(self, cats, nums, log_exposure):
        z = torch.cat([self.region(cats[:, 0]), self.car(cats[:, 1]), nums], 1)
        return self.mlp(z).squeeze(1) + log_exposure


model = ClaimNet()
poisson = nn.PoissonNLLLoss(log_input=True)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
loader = DataLoader(TensorDataset(cats[tr], nums[tr], log_e[tr], y[tr]), batch_size=100, shuffle=True)
watch = dressage.watch(model, optimizer)
sat = torch.special.xlogy(y[va], y[va]) - y[va]
null = torch.log(y[tr].sum() / log_e[tr].exp().sum()) + log_e[va]


def deviance(log_mu):
    return 2 * (sat - (y[va] * log_mu - log_mu.exp())).mean().item()


for epoch in range(10):
    model.train()
    for c, x, e, t in loader:
        optimizer.zero_grad()
        loss = poisson(model(c, x, e), t)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    model.eval()
    with torch.no_grad():
        out = model(cats[va], nums[va], log_e[va])
    d2 = 1 - deviance(out) / deviance(null)
    watch.validated(loss=poisson(out, y[va]).item(), metric=d2)
    print(epoch, d2)

done(watch, d2)
