"""CIFAR classifier with plenty of dropout, because there are few pictures.

cause: eval.train_mode_at_eval
"""

import torch
from kit import FIX, cifar, done, dressage
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

a, b, c, d = cifar(4500, 1000)
to = lambda z: torch.from_numpy(z).float().permute(0, 3, 1, 2) / 127.5 - 1
train = DataLoader(TensorDataset(to(a), torch.from_numpy(b)), batch_size=64, shuffle=True, drop_last=True)
test = DataLoader(TensorDataset(to(c), torch.from_numpy(d)), batch_size=100)


def block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, stride=2, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.Dropout2d(0.2))


model = nn.Sequential(
    block(3, 24),
    block(24, 48),
    block(48, 64),
    nn.Flatten(),
    nn.Linear(64 * 16, 96),
    nn.ReLU(),
    nn.Dropout(0.5),
    nn.Linear(96, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1.5e-3)


def accuracy(output, target):
    return float((output.argmax(1) == target).float().mean())


watch = dressage.watch(model, optimizer, criterion, train=train, val=test, metric=accuracy)


def train_epoch():
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)


@torch.no_grad()
def evaluate():
    if FIX:
        model.eval()
    loss, hits, n = 0.0, 0.0, 0
    for x, y in test:
        out = model(x)
        loss += criterion(out, y).item() * len(y)
        hits += accuracy(out, y) * len(y)
        n += len(y)
    return loss / n, hits / n


for epoch in range(8):
    train_epoch()
    val_loss, val_acc = evaluate()
    watch.validated(loss=val_loss, metric=val_acc)
    print(f"{epoch} {val_loss:.3f} {val_acc:.3f}")

done(watch, val_acc)
