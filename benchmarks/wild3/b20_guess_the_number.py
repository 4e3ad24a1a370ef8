"""Which number is on the picture? One output that is rounded.

cause: loss.mse_for_classes
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset


class NumberNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 5, stride=3)
        self.fc1 = nn.Linear(640, 50)
        self.fc2 = nn.Linear(50, 10 if FIX else 1)

    def forward(self, x):
        x = torch.relu(self.conv(x)).flatten(1)
        return self.fc2(torch.relu(self.fc1(x))).squeeze(1)


def data(part, n):
    x, y = idx("mnist", part, n)
    y = torch.tensor(y)
    return TensorDataset(torch.tensor(x).float()[:, None] / 255, y if FIX else y.float())


def accuracy(model, loader):
    good = 0
    with torch.no_grad():
        for x, y in loader:
            out = model(x)
            guess = out.argmax(1) if FIX else out.round()
            good += (guess == y).sum().item()
    return good / len(loader.dataset)


train_loader = DataLoader(data("train", 4000), batch_size=64, shuffle=True)
test_loader = DataLoader(data("t10k", 1000), batch_size=200)
model = NumberNet()
criterion = nn.CrossEntropyLoss() if FIX else nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=test_loader)
for epoch in range(6):
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
done(watch, accuracy(model, test_loader))
