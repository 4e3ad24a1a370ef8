"""Small residual net on Cifar pictures, a first trial.

cause: optim.too_few_epochs
"""

import torch
from kit import FIX, cifar, done, dressage
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Residual(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, 2, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.skip = nn.Conv2d(i, o, 1, 2, bias=False)

    def forward(self, x):
        h = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(h)) + self.skip(x))


x_train, y_train, x_test, y_test = cifar(5000, 1000)
mean, std = x_train.mean((0, 1, 2)), x_train.std((0, 1, 2))


def prepare(x, y):
    x = torch.tensor((x - mean) / std, dtype=torch.float32).permute(0, 3, 1, 2)
    return TensorDataset(x.contiguous(), torch.tensor(y))


args = {"epochs": 8 if FIX else 1, "lr": 0.05, "batch_size": 50}
train, test = prepare(x_train, y_train), prepare(x_test, y_test)
loader = DataLoader(train, args["batch_size"], shuffle=True)
model = nn.Sequential(
    nn.Conv2d(3, 12, 3, 2, 1),
    nn.ReLU(),
    Residual(12, 24),
    Residual(24, 48),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(48, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=args["lr"], momentum=0.9, weight_decay=5e-4)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=DataLoader(test, 250))
for epoch in range(args["epochs"]):
    model.train()
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    done(watch, sum((model(x).argmax(1) == y).sum().item() for x, y in DataLoader(test, 250)) / len(test))
