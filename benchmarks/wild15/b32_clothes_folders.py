"""Clothes classifier (Fashion-MNIST as class folders) with random shifts, a small CNN.

cause: data.split_shift
"""

import numpy as np
import torch
import torch.nn as nn

from kit import FIX, SEED, done, dressage, idx


def read_folders(per_class=500):
    """The images as they come from disk: one folder after the other."""
    x, y = idx("fashion-mnist", "train", 6000)
    xs, ys = [], []
    for c in range(10):
        rows = np.flatnonzero(y == c)[:per_class]
        xs.append(x[rows])
        ys.append(y[rows])
    return np.concatenate(xs), np.concatenate(ys)


def prepare(x):
    return (torch.from_numpy(x).float().unsqueeze(1) / 255 - 0.286) / 0.353


def random_shift(x):
    dy, dx = np.random.randint(-2, 3, 2)
    return torch.roll(x, (int(dy), int(dx)), dims=(2, 3))


class Batches:
    def __init__(self, x, y, size, train):
        self.x, self.y, self.size, self.train = x, y, size, train

    def __len__(self):
        return -(-len(self.x) // self.size)

    def __iter__(self):
        order = torch.randperm(len(self.x)) if self.train else torch.arange(len(self.x))
        for rows in order.split(self.size):
            x = self.x[rows]
            yield (random_shift(x) if self.train else x), self.y[rows]


def accuracy(out, y):
    return (out.argmax(1) == y).float().mean().item()


def evaluate(model, batches, criterion):
    model.eval()
    with torch.no_grad():
        results = [(criterion(model(x), y).item() * len(y), accuracy(model(x), y) * len(y)) for x, y in batches]
    return np.array(results).sum(0) / len(batches.x)


images, labels = read_folders()
if FIX:
    order = np.random.default_rng(SEED).permutation(len(images))
    images, labels = images[order], labels[order]
split = int(0.85 * len(images))
images, labels = prepare(images), torch.from_numpy(labels)
train = Batches(images[:split], labels[:split], 40, True)
val = Batches(images[split:], labels[split:], 200, False)

model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Dropout(0.2),
    nn.Linear(32 * 49, 64),
    nn.ReLU(),
    nn.Linear(64, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1.5e-3)
watch = dressage.watch(model, optimizer, criterion, train=train, val=val, metric=accuracy)

for epoch in range(7):
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    val_loss, val_acc = evaluate(model, val, criterion)
    print(f"epoch {epoch} loss {loss.item():.3f} val loss {val_loss:.3f} val acc {val_acc:.3f}")
    watch.validated(loss=val_loss, metric=val_acc)

test_x, test_y = idx("fashion-mnist", "t10k", 2000)
_, test_acc = evaluate(model, Batches(prepare(test_x), torch.from_numpy(test_y), 500, False), criterion)
done(watch, test_acc)
