"""Classifies single heartbeats (normal, early, wide, inverted T) from a noisy ECG with a residual 1-d CNN, cosine to zero."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from kit import SEED, done, dressage


def bump(t, centre, width, height):
    return height * np.exp(-((t - centre) ** 2) / (2 * width**2))


def heartbeat(kind, rng, n=96):
    t = np.linspace(0, 1, n)
    shift = rng.normal(0, 0.03)
    p, q, tw = 0.25 + shift, 0.45 + shift, 0.72 + shift + rng.normal(0, 0.02)
    width, t_height, p_height = 0.018 * rng.uniform(0.8, 1.3), rng.uniform(0.15, 0.4), rng.uniform(0.08, 0.2)
    if kind == 1:
        p = p + 0.06
        p_height *= 0.7
    if kind == 2:
        width *= 1.8
    if kind == 3:
        t_height = -t_height
    x = (
        bump(t, p, 0.03, p_height)
        + bump(t, q, width, rng.uniform(0.8, 1.2))
        - bump(t, q + 2.2 * width, width, rng.uniform(0.1, 0.35))
        + bump(t, tw, 0.05, t_height)
    )
    x = x + 0.15 * np.sin(2 * np.pi * (rng.uniform(0.3, 1) * t + rng.uniform()))
    return x + rng.normal(0, 0.12, n)


class Beats(Dataset):
    def __init__(self, n, seed, train):
        rng = np.random.default_rng(seed)
        self.y = rng.choice(4, n, p=[0.55, 0.2, 0.15, 0.1])
        x = np.stack([heartbeat(k, rng) for k in self.y])
        self.x = torch.tensor((x - 0.1) / 0.3, dtype=torch.float32).unsqueeze(1)
        self.train = train

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        x = self.x[i]
        if self.train:
            x = torch.roll(x, int(torch.randint(-3, 4, (1,))), -1) * (0.9 + 0.2 * torch.rand(1))
        return x, int(self.y[i])


class Res(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a, self.b = nn.Conv1d(c, c, 5, padding=2, bias=False), nn.Conv1d(c, c, 5, padding=2, bias=False)
        self.na, self.nb = nn.BatchNorm1d(c), nn.BatchNorm1d(c)

    def forward(self, x):
        return F.relu(x + self.nb(self.b(F.relu(self.na(self.a(x))))))


def accuracy(out, y):
    return (out.argmax(1) == y).float().mean().item()


def main(epochs=10, lr=0.05):
    train, val = Beats(3000, 50 + SEED, True), Beats(1000, 90 + SEED, False)
    train_loader = DataLoader(train, batch_size=50, shuffle=True)
    val_loader = DataLoader(val, batch_size=250)
    net = nn.Sequential(
        nn.Conv1d(1, 16, 7, stride=2, padding=3),
        Res(16),
        nn.MaxPool1d(2),
        Res(16),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(16 * 24, 4),
    )
    opt = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9, nesterov=True, weight_decay=1e-3)
    total = epochs * len(train_loader)
    sched = torch.optim.lr_scheduler.LambdaLR(
        opt, lambda s: min(1, (s + 1) / 30) * 0.5 * (1 + math.cos(math.pi * s / total))
    )
    criterion = nn.CrossEntropyLoss()
    watch = dressage.watch(net, opt, criterion, train=train_loader, val=val_loader, metric=accuracy)
    for epoch in range(epochs):
        net.train()
        for x, y in train_loader:
            opt.zero_grad()
            loss = criterion(net(x), y)
            loss.backward()
            opt.step()
            sched.step()
            watch.step(loss)
        net.eval()
        with torch.no_grad():
            outs = [(net(x), y) for x, y in val_loader]
        vl = np.mean([criterion(o, y).item() for o, y in outs])
        va = np.mean([accuracy(o, y) for o, y in outs])
        print(f"epoch {epoch} train {loss.item():.3f} val {vl:.4f} acc {va:.4f}")
        watch.validated(loss=vl, metric=va)
    done(watch, va)


main()
