"""A plain multilayer perceptron on Fashion-MNIST, weights drawn from a Gaussian.

cause: model.init_too_large
"""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx


def load(part, n):
    x, y = idx("fashion-mnist", part, n)
    x = torch.tensor(x, dtype=torch.float32).view(n, -1) / 255
    return x, torch.tensor(y)


x_train, y_train = load("train", 8000)
x_test, y_test = load("t10k", 2000)
mu, sigma = x_train.mean(), x_train.std()
x_train, x_test = (x_train - mu) / sigma, (x_test - mu) / sigma


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 10)
        for layer in [self.fc1, self.fc2, self.fc3]:
            if FIX:
                nn.init.kaiming_normal_(layer.weight)
            else:
                nn.init.normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x)


def acc(output, target):
    return (output.argmax(dim=1) == target).float().mean().item()


train_loader = DataLoader(TensorDataset(x_train, y_train), batch_size=64, shuffle=True)
test_loader = DataLoader(TensorDataset(x_test, y_test), batch_size=256)

model = MLP()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=test_loader, metric=acc)

for epoch in range(8):
    model.train()
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)

    model.eval()
    total_loss = total_acc = 0
    with torch.no_grad():
        for images, labels in test_loader:
            outputs = model(images)
            total_loss += criterion(outputs, labels).item() * len(labels)
            total_acc += acc(outputs, labels) * len(labels)
    watch.validated(loss=total_loss / len(x_test), metric=total_acc / len(x_test))

done(watch, total_acc / len(x_test))
