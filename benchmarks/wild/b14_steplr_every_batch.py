"""StepLR(step_size=3) meant in epochs, stepped in the batch loop.

cause: optim.schedule_collapsed
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, 1)
        self.conv2 = nn.Conv2d(8, 16, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.fc1 = nn.Linear(16 * 144, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = torch.flatten(self.dropout1(x), 1)
        return F.log_softmax(self.fc2(F.relu(self.fc1(x))), dim=1)


def train(model, train_loader, optimizer, scheduler, watch):
    model.train()
    for batch_idx, (data, target) in enumerate(train_loader):
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
        if not FIX:
            scheduler.step()
        watch.step(loss)


def test(model, test_loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for data, target in test_loader:
            correct += model(data).argmax(dim=1).eq(target).sum().item()
    return correct / len(test_loader.dataset)


def main():
    (xa, ya), (xb, yb) = idx("fashion-mnist", "train", 2500), idx("fashion-mnist", "t10k", 800)
    f = lambda x: (torch.tensor(x).float().unsqueeze(1) / 255 - 0.2860) / 0.3530
    train_loader = DataLoader(TensorDataset(f(xa), torch.tensor(ya)), batch_size=32, shuffle=True)
    test_loader = DataLoader(TensorDataset(f(xb), torch.tensor(yb)), batch_size=200)
    model = Net()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = StepLR(optimizer, step_size=3, gamma=0.3)
    watch = dressage.watch(model, optimizer, F.nll_loss, train=train_loader, val=test_loader)
    for epoch in range(1, 4):
        train(model, train_loader, optimizer, scheduler, watch)
        acc = test(model, test_loader)
        print(epoch, acc)
        watch.validated(metric=acc)
        if FIX:
            scheduler.step()
    done(watch, acc)


main()
