"""Digit recogniser for scanned forms; the archive is stored class by class.

cause: data.split_shift
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

images, labels = idx("mnist", "train", 6000)
per_class = np.argsort(labels, kind="stable")
images, labels = images[per_class], labels[per_class]

if FIX:
    mixed = np.random.RandomState(SEED).permutation(len(labels))
    images, labels = images[mixed], labels[mixed]

x = torch.tensor(images, dtype=torch.float32).unsqueeze(1).div(255).sub(0.1307).div(0.3081)
y = torch.tensor(labels)
cut = int(0.85 * len(x))
train_loader = DataLoader(TensorDataset(x[:cut], y[:cut]), batch_size=64, shuffle=True)
val_loader = DataLoader(TensorDataset(x[cut:], y[cut:]), batch_size=256)

net = nn.Sequential(
    nn.Conv2d(1, 12, 5, padding=2),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(12, 24, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(24 * 49, 64),
    nn.ReLU(),
    nn.Linear(64, 10),
)
criterion = nn.CrossEntropyLoss()
opt = torch.optim.Adam(net.parameters(), lr=1e-3)


def accuracy(output, target):
    return (output.argmax(1) == target).float().mean().item()


watch = dressage.watch(net, opt, criterion, train=train_loader, val=val_loader, metric=accuracy)

for epoch in range(4):
    net.train()
    for xb, yb in train_loader:
        opt.zero_grad()
        loss = criterion(net(xb), yb)
        loss.backward()
        opt.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        out = torch.cat([net(xb) for xb, _ in val_loader])
        tgt = torch.cat([yb for _, yb in val_loader])
        acc = accuracy(out, tgt)
        watch.validated(loss=criterion(out, tgt).item(), metric=acc)
    print(f"epoch {epoch}: val acc {acc:.3f}")

done(watch, acc)
