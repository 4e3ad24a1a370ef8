"""Clothes by a small network in PyTorch, after a course's own from scratch: one-hot targets and the squared error.

cause: loss.mse_for_classes
"""

import torch
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CLASSES = 10


def load(part, n):
    images, labels = idx("fashion-mnist", part, n)
    return TensorDataset(
        (torch.tensor(images, dtype=torch.float32).flatten(1) / 255 - 0.286) / 0.353, torch.tensor(labels)
    )


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(784, 100), nn.Linear(100, 50), nn.Linear(50, CLASSES)

    def forward(self, x):
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))


def criterion(out, target):
    if FIX:
        return F.cross_entropy(out, target)
    return F.mse_loss(torch.sigmoid(out), F.one_hot(target, CLASSES).float())


train_loader = DataLoader(load("train", 4000), batch_size=64, shuffle=True)
test_loader = DataLoader(load("t10k", 1000), batch_size=250)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.5)
watch = dressage.watch(net, optimizer, criterion, train=train_loader, val=test_loader)
for epoch in range(8):
    running = 0.0
    for inputs, targets in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(inputs), targets)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        running += loss.item()
    print(epoch, running / len(train_loader))
with torch.no_grad():
    done(watch, torch.cat([(net(a).argmax(1) == b).float() for a, b in test_loader]).mean())
