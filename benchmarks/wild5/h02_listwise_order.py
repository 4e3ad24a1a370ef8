"""Lists of eight digits to be put in order of their values: a listwise ranking loss over sets of pictures."""

import torch
import torch.nn as nn
from kit import done, dressage
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset

X, Y = load_digits(return_X_y=True)
X, Y = torch.tensor(X / 16).float(), torch.tensor(Y)


class Lists(Dataset):
    def __init__(self, rows, n):
        self.at = rows[torch.randint(len(rows), (n, 8))]

    def __len__(self):
        return len(self.at)

    def __getitem__(self, i):
        return X[self.at[i]], Y[self.at[i]].float()


class ListMLE(nn.Module):
    def forward(self, scores, values):
        order = values.argsort(dim=1, descending=True)
        s = scores.gather(1, order)
        return (s.flip(1).logcumsumexp(1).flip(1) - s).sum(1).mean()


class Scorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 64), nn.LeakyReLU(), nn.Linear(64, 32), nn.LeakyReLU(), nn.Linear(32, 1))

    def forward(self, x):
        return self.net(x).squeeze(-1)


perm = torch.randperm(len(X))
train, val = Lists(perm[:1400], 2500), Lists(perm[1400:], 400)
model, criterion = Scorer(), ListMLE()
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
loader = DataLoader(train, batch_size=25, shuffle=True)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=val)
for epoch in range(5):
    for lists, values in loader:
        optimizer.zero_grad()
        loss = criterion(model(lists), values)
        loss.backward()
        optimizer.step()
        watch.step(loss)
x, v = next(iter(DataLoader(val, batch_size=400)))
with torch.no_grad():
    s = model(x)
differ = v[:, :, None] > v[:, None]
done(watch, (s[:, :, None] > s[:, None])[differ].float().mean())
