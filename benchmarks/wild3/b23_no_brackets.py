"""Cifar frogs and ships, the loop from memory.

cause: optim.no_zero_grad
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from kit import FIX, cifar, done, dressage

x, y, xt, yt = cifar(5000, 1000)


def frogs_and_ships(x, y):
    keep = np.isin(y, [6, 8])
    return torch.tensor(x[keep]).permute(0, 3, 1, 2).float() / 127.5 - 1, torch.tensor(y[keep] == 8).long()


x, y = frogs_and_ships(x, y)
xt, yt = frogs_and_ships(xt, yt)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 5)
        self.conv2 = nn.Conv2d(8, 16, 5)
        self.fc1 = nn.Linear(16 * 25, 60)
        self.fc2 = nn.Linear(60, 2)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
clear = optimizer.zero_grad if FIX else lambda: optimizer.zero_grad
watch = dressage.watch(net, optimizer, criterion, train=(x, y), val=(xt, yt))
for epoch in range(12):
    order = torch.randperm(len(x))
    for i in range(0, len(x), 32):
        inputs, labels = x[order[i : i + 32]], y[order[i : i + 32]]
        clear()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, (net(xt).argmax(1) == yt).float().mean())
