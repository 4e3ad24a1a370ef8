"""Classify clothing pictures that were read folder by folder, with a small convolutional net.

cause: data.no_shuffle
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx


def read_folders(part, n):
    images, labels = idx("fashion-mnist", part, n)
    by_folder = np.argsort(labels, kind="stable")
    x = torch.from_numpy(images[by_folder]).float().div(255).sub(0.286).div(0.353).unsqueeze(1)
    return TensorDataset(x, torch.from_numpy(labels[by_folder]))


train_set, test_set = read_folders("train", 4000), read_folders("t10k", 1000)
train_loader = DataLoader(train_set, batch_size=64, shuffle=FIX)
test_loader = DataLoader(test_set, batch_size=250)

net = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(32 * 49, 64),
    nn.ReLU(),
    nn.Linear(64, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
watch = dressage.watch(net, optimizer, criterion, train=train_loader, val=test_loader)

for epoch in range(6):
    net.train()
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(images), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    net.eval()
    losses, hits = [], 0
    with torch.no_grad():
        for images, labels in test_loader:
            out = net(images)
            losses.append(criterion(out, labels).item())
            hits += (out.argmax(1) == labels).sum().item()
    watch.validated(loss=np.mean(losses), metric=hits / len(test_set))

done(watch, hits / len(test_set))
