"""Classify a small CIFAR-10 subset with a dropout CNN, validating after each epoch.

cause: eval.train_mode_at_eval
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, cifar, done, dressage

xa, ya, xb, yb = cifar(4000, 1000)
mean = torch.tensor([0.49, 0.48, 0.45]).view(1, 3, 1, 1)


def to_tensor(x):
    return (torch.tensor(x).permute(0, 3, 1, 2).float() / 255 - mean) / 0.25


train_loader = DataLoader(TensorDataset(to_tensor(xa), torch.tensor(ya)), batch_size=64, shuffle=True)
test_loader = DataLoader(TensorDataset(to_tensor(xb), torch.tensor(yb)), batch_size=250)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.c2 = nn.Conv2d(16, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.d1 = nn.Dropout2d(0.2)
        self.fc1 = nn.Linear(32 * 8 * 8, 128)
        self.d2 = nn.Dropout(0.5)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = torch.relu(self.c1(x))
        x = self.d1(self.pool(torch.relu(self.c2(x))))
        return self.fc2(self.d2(torch.relu(self.fc1(x.flatten(1)))))


model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=test_loader)


def evaluate():
    if FIX:
        model.eval()
    total, right, n = 0.0, 0, 0
    with torch.no_grad():
        for x, y in test_loader:
            out = model(x)
            total += criterion(out, y).item() * len(y)
            right += (out.argmax(1) == y).sum().item()
            n += len(y)
    return total / n, right / n


for epoch in range(9):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    val_loss, acc = evaluate()
    watch.validated(loss=val_loss, metric=acc)
done(watch, acc)
