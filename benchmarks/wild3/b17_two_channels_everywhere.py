"""A convolutional net for a microcontroller.

cause: model.bottleneck
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

config = {"channels": [16, 32] if FIX else [2, 2], "lr": 3e-3, "epochs": 7, "batch": 40}


def block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(True))


class TinyNet(nn.Module):
    def __init__(self, channels):
        super().__init__()
        a, b = channels
        self.stem, self.stage = block(1, a), nn.Sequential(block(a, b), block(b, b))
        self.fc = nn.Linear(b, 10)

    def forward(self, x):
        return self.fc(self.stage(self.stem(x)).mean((2, 3)))


def dataset(part, n):
    x, y = idx("fashion-mnist", part, n)
    return TensorDataset((torch.tensor(x).float() / 255 - 0.5)[:, None], torch.tensor(y))


train, val = dataset("train", 3000), dataset("t10k", 1000)
train_loader = DataLoader(train, config["batch"], shuffle=True)
model = TinyNet(config["channels"])
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=config["lr"])
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=DataLoader(val, 250))
for epoch in range(config["epochs"]):
    model.train()
    for x, y in train_loader:
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    done(watch, (model(val.tensors[0]).argmax(1) == val.tensors[1]).float().mean())
