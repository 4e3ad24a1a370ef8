"""CIFAR read folder after folder, as the files lie.

cause: data.no_shuffle
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, cifar, done, dressage
from torch.utils.data import DataLoader, Dataset

xtr, ytr, xte, yte = cifar(2000, 500)


class ImageFolder(Dataset):
    def __init__(self, x, y):
        self.samples = []
        for cls in np.unique(y):
            for i in np.flatnonzero(y == cls):
                self.samples.append((x[i], int(cls)))

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        img, cls = self.samples[i]
        img = torch.from_numpy(img).permute(2, 0, 1).float() / 255
        return (img - 0.47) / 0.25, cls


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 12, 5, stride=2)
        self.conv2 = nn.Conv2d(12, 24, 3, stride=2)
        self.fc1 = nn.Linear(24 * 6 * 6, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


train_loader = DataLoader(ImageFolder(xtr, ytr), batch_size=32, shuffle=FIX)
test_loader = DataLoader(ImageFolder(xte, yte), batch_size=100, shuffle=False)
net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
watch = dressage.watch(net, optimizer, criterion, train=train_loader, val=test_loader)
for epoch in range(8):
    net.train()
    for inputs, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(inputs), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    net.eval()
    losses, right, n = 0.0, 0, 0
    with torch.no_grad():
        for inputs, labels in test_loader:
            out = net(inputs)
            losses += F.cross_entropy(out, labels, reduction="sum").item()
            right += (out.argmax(1) == labels).sum().item()
            n += len(labels)
    watch.validated(loss=losses / n, metric=right / n)
done(watch, right / n)
