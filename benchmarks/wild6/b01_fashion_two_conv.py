"""Clothes with two convolutions, weights drawn by an own function.

cause: model.init_too_large
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

x_train, y_train = idx("fashion-mnist", "train", 6000)
x_test, y_test = idx("fashion-mnist", "t10k", 1000)
x_train = (torch.tensor(x_train).float()[:, None] / 255 - 0.286) / 0.353
x_test = (torch.tensor(x_test).float()[:, None] / 255 - 0.286) / 0.353
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)
train_loader = DataLoader(TensorDataset(x_train, y_train), batch_size=64, shuffle=True)
test_loader = DataLoader(TensorDataset(x_test, y_test), batch_size=250)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, stride=2)
        self.conv2 = nn.Conv2d(8, 16, 3)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(16 * 5 * 5, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = self.pool(torch.relu(self.conv2(x)))
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def init_weights(m):
    if isinstance(m, (nn.Conv2d, nn.Linear)):
        fan_in = m.weight[0].numel()
        nn.init.normal_(m.weight, 0.0, (2 / fan_in) ** 0.5 if FIX else 1.0)
        nn.init.zeros_(m.bias)


model = Net()
model.apply(init_weights)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=test_loader)
for epoch in range(5):
    model.train()
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    total, correct = 0.0, 0
    with torch.no_grad():
        for images, labels in test_loader:
            out = model(images)
            total += criterion(out, labels).item() * len(labels)
            correct += (out.argmax(1) == labels).sum().item()
    watch.validated(loss=total / len(x_test), metric=correct / len(x_test))
done(watch, correct / len(x_test))
