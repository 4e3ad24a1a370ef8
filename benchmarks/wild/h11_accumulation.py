"""Micro-batches of four, an update each eight, the right way; step called each batch."""

import torch
import torch.nn as nn
from kit import done, dressage
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

X, y = load_digits(return_X_y=True)
X, y = torch.tensor(X / 16, dtype=torch.float32).view(-1, 1, 8, 8), torch.tensor(y)
dl = DataLoader(TensorDataset(X[:1400], y[:1400]), 4, shuffle=True)
net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.GroupNorm(4, 16), nn.GELU(), nn.Flatten(), nn.Linear(576, 10))
opt = torch.optim.Adam(net.parameters(), 2e-3)
ce = nn.CrossEntropyLoss()
watch = dressage.watch(net, opt, ce, train=dl, val=(X[1400:], y[1400:]))
K = 8
for ep in range(4):
    for i, (a, b) in enumerate(dl):
        loss = ce(net(a), b)
        (loss / K).backward()
        if (i + 1) % K == 0 or i + 1 == len(dl):
            opt.step()
            opt.zero_grad()
        watch.step(loss)
done(watch, (net(X[1400:]).argmax(1) == y[1400:]).float().mean())
