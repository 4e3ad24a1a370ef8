"""A small convolutional network that recognises the ten kinds of clothes of Fashion-MNIST.

cause: loss.double_softmax
"""

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 5, stride=2, padding=2)
        self.conv2 = nn.Conv2d(12, 24, 3, stride=2, padding=1)
        self.fc1 = nn.Linear(24 * 7 * 7, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.relu(self.fc1(x.flatten(1)))
        x = self.fc2(x)
        return x if FIX else F.softmax(x, dim=1)


def prepare(x, y):
    return TensorDataset((torch.from_numpy(x).float()[:, None] / 255 - 0.286) / 0.353, torch.from_numpy(y))


def evaluate(net, loader, criterion):
    net.eval()
    total = correct = n = 0
    with torch.no_grad():
        for x, y in loader:
            out = net(x)
            total += criterion(out, y).item() * len(y)
            correct += (out.argmax(1) == y).sum().item()
            n += len(y)
    return total / n, correct / n


def main():
    train = DataLoader(prepare(*idx("fashion-mnist", "train", 6000)), batch_size=64, shuffle=True)
    test = DataLoader(prepare(*idx("fashion-mnist", "t10k", 2000)), batch_size=500)
    net = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    watch = dressage.watch(net, optimizer)
    for epoch in range(6):
        net.train()
        for x, y in train:
            optimizer.zero_grad()
            loss = criterion(net(x), y)
            loss.backward()
            optimizer.step()
            watch.step(loss)
        val_loss, val_acc = evaluate(net, test, criterion)
        print(epoch, round(val_loss, 3), round(val_acc, 3))
    done(watch, val_acc)


if __name__ == "__main__":
    main()
