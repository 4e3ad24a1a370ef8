"""Random Fourier features that are not trained, and a hand-written layer on top with a large rate; raw inputs in [0, 1]."""

import math

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from torch import nn


class RandomFourier(nn.Module):
    def __init__(self, n_in, n_out, gamma):
        super().__init__()
        self.omega = nn.Parameter(torch.randn(n_in, n_out) * math.sqrt(2 * gamma), requires_grad=False)
        self.phase = nn.Parameter(2 * math.pi * torch.rand(n_out), requires_grad=False)

    def forward(self, x):
        return math.sqrt(2) * torch.cos(x @ self.omega + self.phase)


class Readout(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.w, self.b = nn.Parameter(torch.zeros(n_in, n_out)), nn.Parameter(torch.zeros(n_out))

    def forward(self, h):
        return h @ self.w + self.b


def load(part, n):
    images, labels = idx("mnist", part, n)
    return torch.tensor(images.reshape(n, -1) / 255.0, dtype=torch.float32), torch.tensor(labels)


x, y = load("train", 4000)
xt, yt = load("t10k", 1000)
model = nn.Sequential(RandomFourier(784, 600, 0.015), Readout(600, 10))
optimizer = torch.optim.SGD(
    (p for p in model.parameters() if p.requires_grad), lr=0.05, momentum=0.9, weight_decay=1e-4
)
watch = dressage.watch(model, optimizer, F.cross_entropy, train=(x, y), val=(xt, yt))
for epoch in range(8):
    for rows in torch.randperm(len(x)).split(80):
        loss = F.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, (model(xt).argmax(1) == yt).float().mean())
