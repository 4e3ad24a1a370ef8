"""Clothes: each layer has its own rate, the deepest the smallest; restarts after 60, 180, 420 steps; blocks dropped at random."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset


class Block(nn.Module):
    def __init__(self, c, survive):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.n1, self.n2, self.survive = nn.GroupNorm(4, c), nn.GroupNorm(4, c), survive
        nn.init.zeros_(self.n2.weight)

    def forward(self, x):
        if self.training and torch.rand(()) > self.survive:
            return x
        h = self.n2(self.conv2(F.silu(self.n1(self.conv1(x)))))
        return F.silu(x + h * (1.0 if self.training else self.survive))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 4, stride=4)
        self.blocks = nn.ModuleList([Block(16, p) for p in (1.0, 0.9, 0.8)])
        self.head = nn.Linear(16 * 49, 10)

    def forward(self, x):
        x = self.stem(x)
        for b in self.blocks:
            x = b(x)
        return self.head(x.flatten(1))


def load(part, n):
    x, y = idx("fashion-mnist", part, n)
    return torch.tensor(x).float().unsqueeze(1) / 255 - 0.28, torch.tensor(y)


train, test = load("train", 3200), load("t10k", 1000)
net = Net()
parts = [net.stem, *net.blocks, net.head]
groups = [{"params": p.parameters(), "lr": 0.1 * 0.6 ** (len(parts) - 1 - i)} for i, p in enumerate(parts)]
opt = torch.optim.SGD(groups, momentum=0.9, nesterov=True, weight_decay=5e-4)
sched = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=60, T_mult=2)
criterion = nn.CrossEntropyLoss()
loader = DataLoader(TensorDataset(*train), 64, shuffle=True, drop_last=True)
watch = dressage.watch(net, opt, criterion, train=loader, val=test)
step = 0
while step < 420:
    net.train()
    for xb, yb in loader:
        loss = criterion(net(xb), yb)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        opt.step()
        sched.step()
        watch.step(loss)
        step += 1
        if step == 420:
            break
net.eval()
with torch.no_grad():
    done(watch, (net(test[0]).argmax(1) == test[1]).float().mean())
