"""Recognise clothes on Fashion-MNIST with a small convolutional net and a decaying rate.

cause: optim.schedule_collapsed
"""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx

EPOCHS = 7

xtr, ytr = idx("fashion-mnist", "train", 4000)
xte, yte = idx("fashion-mnist", "t10k", 1000)


def prepare(x):
    return (torch.tensor(x, dtype=torch.float32)[:, None] / 255 - 0.286) / 0.353


train_loader = DataLoader(TensorDataset(prepare(xtr), torch.tensor(ytr)), batch_size=64, shuffle=True)
val_loader = DataLoader(TensorDataset(prepare(xte), torch.tensor(yte)), batch_size=250)

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
optimizer = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9, weight_decay=5e-4)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.85)


def accuracy(output, target):
    return (output.argmax(1) == target).float().mean().item()


watch = dressage.watch(net, optimizer, criterion, train=train_loader, val=val_loader, metric=accuracy)


def evaluate():
    net.eval()
    losses, hits = 0.0, 0
    with torch.no_grad():
        for images, labels in val_loader:
            out = net(images)
            losses += criterion(out, labels).item() * len(labels)
            hits += (out.argmax(1) == labels).sum().item()
    return losses / len(yte), hits / len(yte)


for epoch in range(EPOCHS):
    net.train()
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(images), labels)
        loss.backward()
        optimizer.step()
        if not FIX:
            scheduler.step()
        watch.step(loss)
    if FIX:
        scheduler.step()
    val_loss, val_acc = evaluate()
    watch.validated(loss=val_loss, metric=val_acc)

done(watch, val_acc)
