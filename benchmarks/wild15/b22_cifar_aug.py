"""CIFAR-10 subset with flips and random crops, small CNN, SGD with an exponentially decaying rate.

cause: optim.schedule_collapsed
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from kit import FIX, cifar, done, dressage

MEAN = torch.tensor([0.491, 0.482, 0.447]).view(3, 1, 1)
STD = torch.tensor([0.247, 0.243, 0.262]).view(3, 1, 1)


class Cifar(Dataset):
    def __init__(self, images, labels, augment=False):
        images = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        self.images = (images - MEAN) / STD
        self.labels = torch.from_numpy(labels)
        self.augment = augment

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        img = self.images[i]
        if self.augment:
            if torch.rand(1) < 0.5:
                img = img.flip(-1)
            img = F.pad(img, (2, 2, 2, 2))
            dy, dx = torch.randint(0, 5, (2,)).tolist()
            img = img[:, dy : dy + 32, dx : dx + 32]
        return img, self.labels[i]


def block(i, o):
    return nn.Sequential(
        nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True), nn.MaxPool2d(2)
    )


def accuracy(logits, target):
    return (logits.argmax(1) == target).float().mean().item()


def evaluate(net, loader, criterion):
    net.eval()
    total, correct, loss = 0, 0, 0.0
    with torch.no_grad():
        for x, y in loader:
            out = net(x)
            loss += criterion(out, y).item() * len(y)
            correct += (out.argmax(1) == y).sum().item()
            total += len(y)
    return loss / total, correct / total


def main():
    xtr, ytr, xte, yte = cifar(3600, 1000)
    train_loader = DataLoader(Cifar(xtr, ytr, augment=True), batch_size=50, shuffle=True)
    test_loader = DataLoader(Cifar(xte, yte), batch_size=250)

    net = nn.Sequential(block(3, 16), block(16, 32), block(32, 64), nn.Flatten(), nn.Linear(64 * 16, 10))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.97)
    watch = dressage.watch(net, optimizer, criterion, train=train_loader, val=test_loader, metric=accuracy)

    for epoch in range(6):
        net.train()
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = criterion(net(x), y)
            loss.backward()
            optimizer.step()
            if not FIX:
                scheduler.step()
            watch.step(loss)
        if FIX:
            scheduler.step()
        test_loss, test_acc = evaluate(net, test_loader, criterion)
        print(f"[{epoch}] test loss {test_loss:.3f} acc {test_acc:.3f}")
        watch.validated(loss=test_loss, metric=test_acc)
    done(watch, test_acc)


if __name__ == "__main__":
    main()
