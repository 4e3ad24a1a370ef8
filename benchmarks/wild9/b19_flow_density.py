"""Estimate the density of the measurements of breast tumours (8 columns) with an affine coupling flow.

cause: model.init_too_large
"""

import math

import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from kit import FIX, SEED, done, dressage

table = load_breast_cancer().data[:, [0, 1, 4, 5, 6, 8, 9, 14]]
train_x, test_x = train_test_split(table, test_size=0.3, random_state=SEED)
scale = StandardScaler().fit(train_x)
train_x = torch.tensor(scale.transform(train_x), dtype=torch.float32)
test_x = torch.tensor(scale.transform(test_x), dtype=torch.float32)
D = train_x.shape[1]


class Coupling(nn.Module):
    def __init__(self, flip):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(D // 2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, D))
        for layer in self.net:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.05 if FIX else 0.5)
                nn.init.zeros_(layer.bias)

    def forward(self, x):
        a, b = x.chunk(2, 1)
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, 1)
        s = 1.5 * torch.tanh(s)
        b = b * s.exp() + t
        return torch.cat([b, a] if self.flip else [a, b], 1), s.sum(1)


class Flow(nn.Module):
    def __init__(self, steps=6):
        super().__init__()
        self.steps = nn.ModuleList(Coupling(i % 2 == 1) for i in range(steps))

    def forward(self, x):
        logdet = 0
        for step in self.steps:
            x, d = step(x)
            logdet = logdet + d
        return logdet - 0.5 * (x**2).sum(1) - 0.5 * D * math.log(2 * math.pi)


flow = Flow()
optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3, weight_decay=1e-4)
watch = dressage.watch(flow, optimizer)

for epoch in range(60):
    flow.train()
    for rows in torch.randperm(len(train_x)).split(40):
        noisy = train_x[rows] + 0.1 * torch.randn(len(rows), D)
        loss = -flow(noisy).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    flow.eval()
    with torch.no_grad():
        val = -flow(test_x).mean().item()
    watch.validated(loss=val)

gauss = torch.distributions.MultivariateNormal(train_x.mean(0), torch.cov(train_x.T) + 0.01 * torch.eye(D))
done(watch, max(-50.0, -val - gauss.log_prob(test_x).mean().item()))
