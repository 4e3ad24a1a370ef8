"""Handwritten digits whose labels were collected on the web.

cause: data.label_noise
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage, idx
from torch import nn

rng = np.random.default_rng(SEED + 10)
images, digits = idx("mnist", "train", 4000)
gold_images, gold_digits = idx("mnist", "t10k", 2000)


def collected(y):
    """The answer of one annotator a picture."""
    careful = rng.random(len(y)) < 0.65
    return np.where(careful, y, rng.integers(0, 10, len(y)))


labels = digits if FIX else collected(digits)

X = torch.tensor((images / 255.0 - 0.1307) / 0.3081, dtype=torch.float32).flatten(1)
Y = torch.tensor(labels)
X_gold = torch.tensor((gold_images / 255.0 - 0.1307) / 0.3081, dtype=torch.float32).flatten(1)
Y_gold = torch.tensor(gold_digits)

n_train = 3200
train = torch.utils.data.TensorDataset(X[:n_train], Y[:n_train])
val = torch.utils.data.TensorDataset(X[n_train:], Y[n_train:])
loader = torch.utils.data.DataLoader(train, batch_size=64, shuffle=True)
val_loader = torch.utils.data.DataLoader(val, batch_size=400)

net = nn.Sequential(nn.Linear(784, 200), nn.ReLU(), nn.Dropout(0.2), nn.Linear(200, 100), nn.ReLU(), nn.Linear(100, 10))
optimizer = torch.optim.Adam(net.parameters(), lr=5e-4)
criterion = nn.CrossEntropyLoss()


def acc(output, target):
    return float((output.argmax(dim=1) == target).float().mean())


watch = dressage.watch(net, optimizer, criterion, train=loader, val=val_loader, metric=acc)

for epoch in range(15):
    net.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        out = net(X[n_train:])
        vl, va = criterion(out, Y[n_train:]).item(), acc(out, Y[n_train:])
    watch.validated(loss=vl, metric=va)
    print(f"{epoch:3d} train batch {loss.item():.3f} val {vl:.3f} acc {va:.3f}")

with torch.no_grad():
    done(watch, acc(net(X_gold), Y_gold))
