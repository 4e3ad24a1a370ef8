"""Promise a delivery time that is kept in 80 % of the cases: quantile regression on order data with two inputs (table and route).

cause: loss.shape_broadcast
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from kit import FIX, done, dressage

rng = np.random.default_rng(9)
N, STOPS = 4000, 8
km = rng.gamma(2.0, 1.5, (N, STOPS)) * (np.arange(STOPS)[None] < rng.integers(2, STOPS + 1, N)[:, None])
weight = rng.lognormal(1, 0.6, N)
rush = rng.integers(0, 2, N)
minutes = 12 + km.sum(1) * (2.2 + 1.1 * rush) + 3 * (km > 0).sum(1) + 1.5 * weight
minutes = minutes * rng.lognormal(0, 0.15, N)

table = np.column_stack([np.log(weight) - 1, rush - 0.5]).astype(np.float32)
route = (km / 3).astype(np.float32)
m, s = minutes[:3200].mean(), minutes[:3200].std()
y = ((minutes - m) / s).astype(np.float32)


class Orders(Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        r = self.rows[i]
        return table[r], route[r], y[r]


class PinballLoss(nn.Module):
    def __init__(self, q):
        super().__init__()
        self.q = q

    def forward(self, output, target):
        error = target - output
        return torch.max(self.q * error, (self.q - 1) * error).mean()


class EtaNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stops = nn.GRU(1, 16, batch_first=True)
        self.head = nn.Sequential(nn.Linear(18, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, table, route):
        _, h = self.stops(route.unsqueeze(2))
        out = self.head(torch.cat([table, h[0]], 1))
        return out.squeeze(1) if FIX else out


train = DataLoader(Orders(range(3200)), batch_size=64, shuffle=True)
val = DataLoader(Orders(range(3200, N)), batch_size=200)
model = EtaNet()
criterion = PinballLoss(0.8)
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
watch = dressage.watch(model, optimizer, criterion)

for epoch in range(12):
    model.train()
    for tb, rt, target in train:
        optimizer.zero_grad()
        loss = criterion(model(tb, rt), target)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        parts = [(model(tb, rt), t) for tb, rt, t in val]
        vloss = sum(criterion(o, t).item() for o, t in parts) / len(parts)
    watch.validated(loss=vloss)
    print(f"{epoch} train {loss.item():.4f} val {vloss:.4f}")

pred = torch.cat([o for o, _ in parts]).numpy().ravel()
truth = y[3200:]
pin = lambda p: np.maximum(0.8 * (truth - p), -0.2 * (truth - p)).mean()
print("kept", (truth <= pred).mean())
done(watch, 1 - pin(pred) / pin(np.quantile(y[:3200], 0.8)))
