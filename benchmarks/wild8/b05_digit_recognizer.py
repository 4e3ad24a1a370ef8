"""Kaggle "Digit Recognizer" script: small CNN, SGD with momentum.

cause: loss.sum_reduction
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx


class CFG:
    lr = 0.02
    momentum = 0.9
    batch_size = 64
    epochs = 6


train_x, train_y = idx("mnist", "train", 6000)
train_x = torch.tensor(train_x[:, None] / 255.0, dtype=torch.float32)
train_y = torch.tensor(train_y)
n_val = 1000
train_ds = TensorDataset(train_x[n_val:], train_y[n_val:])
valid_ds = TensorDataset(train_x[:n_val], train_y[:n_val])
train_dl = DataLoader(train_ds, CFG.batch_size, shuffle=True)
valid_dl = DataLoader(valid_ds, 250)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 5)
        self.conv2 = nn.Conv2d(10, 20, 5)
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        x = x.flatten(1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


model = Net()
criterion = nn.CrossEntropyLoss(reduction="mean" if FIX else "sum")
optimizer = torch.optim.SGD(model.parameters(), lr=CFG.lr, momentum=CFG.momentum)
watch = dressage.watch(model, optimizer, criterion, train=train_dl, val=valid_dl)


def train_one_epoch():
    model.train()
    total = 0
    for xb, yb in train_dl:
        pred = model(xb)
        loss = criterion(pred, yb)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        watch.step(loss)
        total += loss.item()
    return total / len(train_dl)


def validate():
    model.eval()
    losses, hits = 0, 0
    with torch.no_grad():
        for xb, yb in valid_dl:
            pred = model(xb)
            losses += criterion(pred, yb).item()
            hits += (pred.argmax(1) == yb).sum().item()
    return losses / len(valid_dl), hits / n_val


for epoch in range(CFG.epochs):
    tl = train_one_epoch()
    vl, va = validate()
    watch.validated(loss=vl, metric=va)
    print(f"Epoch {epoch}: train {tl:.4f} valid {vl:.4f} acc {va:.4f}")

done(watch, va)
