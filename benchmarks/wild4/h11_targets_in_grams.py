"""Raw targets of thousands: the network knows their mean and spread and gives them back on that scale (score: R2)."""

import torch
from kit import SEED, done, dressage
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn

data = load_breast_cancer().data
x, y = data[:, [4, 5, 6, 7, 8, 9, 14, 15, 16, 17, 18, 19, 24, 25, 26, 27, 10]], data[:, 23] * 10
xtr, xva, ytr, yva = train_test_split(x, y, test_size=140, random_state=SEED)
xtr, xva, ytr, yva = (torch.tensor(a, dtype=torch.float32) for a in (xtr, xva, ytr, yva))


class Regressor(nn.Module):
    def __init__(self, x, y):
        super().__init__()
        self.register_buffer("xm", x.mean(0))
        self.register_buffer("xs", x.std(0))
        self.register_buffer("ym", y.mean())
        self.register_buffer("ys", y.std())
        self.body = nn.Sequential(nn.Linear(x.shape[1], 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1))

    def forward(self, x):
        return self.body((x - self.xm) / self.xs).squeeze(1) * self.ys + self.ym


model = Regressor(xtr, ytr)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4)
criterion = nn.MSELoss()
watch = dressage.watch(model, optimizer, criterion, train=(xtr, ytr), val=(xva, yva))
for epoch in range(40):
    for rows in torch.randperm(len(xtr)).split(40):
        optimizer.zero_grad()
        loss = criterion(model(xtr[rows]), ytr[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, 1 - ((model(xva) - yva) ** 2).mean() / ((yva - ytr.mean()) ** 2).mean())
