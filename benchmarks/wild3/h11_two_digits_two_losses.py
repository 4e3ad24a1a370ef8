"""Two digits side by side: each is named by a head of its own, and a third head gives their sum."""

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, Dataset


class SideBySide(Dataset):
    def __init__(self, part, n):
        x, y = idx("mnist", part, n)
        self.x, self.y = torch.tensor(x[:, ::2, ::2]).float() / 255, torch.tensor(y)
        self.partner = torch.randperm(n)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        j = self.partner[i]
        return torch.cat([self.x[i], self.x[j]], 1).flatten(), torch.stack([self.y[i], self.y[j]])


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(392, 200), nn.ReLU(), nn.Linear(200, 100), nn.ReLU())
        self.left, self.right, self.total = nn.Linear(100, 10), nn.Linear(100, 10), nn.Linear(100, 1)

    def forward(self, x):
        h = self.trunk(x)
        return self.left(h), self.right(h), self.total(h)


def combined(outputs, digits):
    left, right, total = outputs
    amount = (digits.sum(1, keepdim=True) - 9.0) / 4.0
    return F.cross_entropy(left, digits[:, 0]) + F.cross_entropy(right, digits[:, 1]) + 0.5 * F.mse_loss(total, amount)


train, val = SideBySide("train", 5000), SideBySide("t10k", 800)
loader = DataLoader(train, batch_size=50, shuffle=True)
model = Heads()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, combined, train=loader, val=DataLoader(val, batch_size=200))
for epoch in range(8):
    for x, digits in loader:
        loss = combined(model(x), digits)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
hits = 0
with torch.no_grad():
    for x, digits in DataLoader(val, batch_size=200):
        left, right, _ = model(x)
        hits += (left.argmax(1) == digits[:, 0]).sum().item() + (right.argmax(1) == digits[:, 1]).sum().item()
done(watch, hits / 1600)
