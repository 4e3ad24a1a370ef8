"""Adam with betas of a paper's table, a small net with batch norm on clothes.

cause: optim.momentum_too_high
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

BETA1, BETA2 = (0.9, 0.999) if FIX else (0.999, 0.9)


def load(part, n):
    x, y = idx("fashion-mnist", part, n)
    return TensorDataset(torch.tensor(x).float().div(255)[:, None], torch.tensor(y))


train, val = load("train", 3000), load("t10k", 1000)
net = nn.Sequential(
    nn.Conv2d(1, 8, 3, 2),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.Conv2d(8, 16, 3, 2),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(16 * 36, 10),
)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2, betas=(BETA1, BETA2))
criterion = nn.CrossEntropyLoss()
loader = DataLoader(train, batch_size=50, shuffle=True)
watch = dressage.watch(net, optimizer, criterion, train=loader, val=val)
for epoch in range(7):
    net.train()
    for x, y in loader:
        loss = criterion(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
net.eval()
with torch.no_grad():
    x, y = val.tensors
    done(watch, (net(x).argmax(1) == y).float().mean())
