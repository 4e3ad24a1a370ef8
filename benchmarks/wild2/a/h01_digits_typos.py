"""MNIST with one label in ten typed wrongly, a perceptron; few epochs."""

import numpy as np
import torch
import torch.nn as nn
from kit import SEED, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("mnist", "train", 6000)
xt, yt = idx("mnist", "t10k", 1000)
rng = np.random.default_rng(SEED)
wrong = rng.random(len(y)) < 0.1
y[wrong] = rng.integers(0, 10, wrong.sum())
x, xt = torch.tensor(x).flatten(1) / 255.0, torch.tensor(xt).flatten(1) / 255.0
y, yt = torch.tensor(y), torch.tensor(yt)
loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)

net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
watch = dressage.watch(net, optimizer, loss_fn, train=loader, val=(xt, yt))
for epoch in range(6):
    net.train()
    for a, b in loader:
        optimizer.zero_grad()
        loss = loss_fn(net(a), b)
        loss.backward()
        optimizer.step()
        watch.step(loss)
net.eval()
with torch.no_grad():
    done(watch, (net(xt).argmax(1) == yt).float().mean())
