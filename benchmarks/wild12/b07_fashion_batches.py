"""Clothes classifier; the shop exports its photographs department by department.

cause: data.no_shuffle
"""

import numpy as np
import torch
from kit import FIX, done, dressage, idx
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("fashion-mnist", "train", 5000)
xt, yt = idx("fashion-mnist", "t10k", 1000)
order = np.lexsort((np.arange(len(y)), y))
x, y = x[order], y[order]


def tensor(images):
    return (torch.from_numpy(images).float().flatten(1) - 72.9) / 90.0


train_ds = TensorDataset(tensor(x), torch.from_numpy(y))
test_x, test_y = tensor(xt), torch.from_numpy(yt)
loader = DataLoader(train_ds, batch_size=32, shuffle=FIX)

mlp = nn.Sequential(nn.Linear(784, 100), nn.LeakyReLU(0.1), nn.Linear(100, 50), nn.LeakyReLU(0.1), nn.Linear(50, 10))
criterion = nn.CrossEntropyLoss()
sgd = optim.SGD(mlp.parameters(), lr=0.02, momentum=0.9)


def share_right(output, target):
    return (output.argmax(1) == target).float().mean().item()


watch = dressage.watch(mlp, sgd, criterion, train=loader, val=(test_x, test_y), metric=share_right)

for epoch in range(9):
    mlp.train()
    for images, target in loader:
        sgd.zero_grad()
        loss = criterion(mlp(images), target)
        loss.backward()
        sgd.step()
        watch.step(loss)
    mlp.eval()
    with torch.no_grad():
        out = mlp(test_x)
        score = share_right(out, test_y)
    print("epoch", epoch, "test", score)
    watch.validated(loss=criterion(out, test_y).item(), metric=score)

done(watch, score)
