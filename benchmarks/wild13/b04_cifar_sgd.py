"""Train a small CIFAR-10 network with plain SGD.

cause: optim.momentum_too_high
"""

import torch
import torch.nn.functional as F
from torch import nn

from kit import FIX, cifar, done, dressage

xtr, ytr, xte, yte = cifar(4000, 1000)
mean = xtr.mean((0, 1, 2)) / 255
std = xtr.std((0, 1, 2)) / 255


def to_tensor(x):
    x = (x / 255.0 - mean) / std
    return torch.tensor(x, dtype=torch.float32).permute(0, 3, 1, 2).contiguous()


xtr, xte, ytr, yte = to_tensor(xtr), to_tensor(xte), torch.tensor(ytr), torch.tensor(yte)


class SmallNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(3, 24, 5, stride=2, padding=2)
        self.c2 = nn.Conv2d(24, 48, 3, padding=1)
        self.fc1 = nn.Linear(48 * 16, 96)
        self.fc2 = nn.Linear(96, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.c1(x)), 2)
        x = F.max_pool2d(F.relu(self.c2(x)), 2)
        return self.fc2(F.dropout(F.relu(self.fc1(x.flatten(1))), 0.3, self.training))


net = SmallNet()
sgd = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9 if FIX else 0.99)
watch = dressage.watch(net, sgd)

for epoch in range(9):
    net.train()
    perm = torch.randperm(len(xtr))
    for start in range(0, len(perm), 64):
        b = perm[start : start + 64]
        sgd.zero_grad()
        loss = F.cross_entropy(net(xtr[b]), ytr[b])
        loss.backward()
        sgd.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        out = net(xte)
    acc = (out.argmax(1) == yte).float().mean().item()
    watch.validated(loss=F.cross_entropy(out, yte).item(), metric=acc)

done(watch, acc)
