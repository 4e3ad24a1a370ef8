"""Guess the star rating (one to five) that a guest gives, by cumulative thresholds.

cause: optim.frozen_params
"""

import numpy as np
import torch
from torch import nn

from kit import FIX, SEED, done, dressage


def guests(n, rng):
    x = rng.normal(size=(n, 14))
    x[:, :4] = rng.integers(0, 2, (n, 4)) * 2 - 1
    taste = (
        1.1 * x[:, 4] * x[:, 0]
        + 0.9 * x[:, 5]
        - 1.2 * np.maximum(x[:, 6], 0)
        + 0.9 * x[:, 7] * x[:, 8]
        + 0.7 * x[:, 9] * x[:, 1]
        - 0.6 * np.abs(x[:, 10])
        + 0.5 * x[:, 2]
    )
    taste = taste + rng.normal(0, 0.45, n)
    stars = 1 + np.digitize(taste, [-2.4, -1.2, 0.0, 1.3])
    return x.astype(np.float32), stars.astype(np.int64)


class StarNet(nn.Module):
    """A trunk of dense layers, then four logits: is it more than 1, 2, 3, 4 stars?"""

    def __init__(self, n_in=14, width=64, depth=1):
        super().__init__()
        sizes = [n_in] + [width] * depth
        layers = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]
        self.trunk = nn.ModuleList(layers) if FIX else layers
        self.out = nn.Linear(width, 4)

    def forward(self, x):
        for layer in self.trunk:
            x = torch.relu(layer(x))
        return self.out(x)


def ordinal_loss(output, stars):
    above = (stars[:, None] > torch.arange(1, 5)).float()
    return nn.functional.binary_cross_entropy_with_logits(output, above)


def exact(output, stars):
    return ((1 + (output > 0).sum(1)) == stars).float().mean().item()


class Experiment:
    epochs = 30
    batch = 48

    def __init__(self):
        rng = np.random.default_rng(SEED)
        self.x, self.y = map(torch.from_numpy, guests(5500, rng))
        self.vx, self.vy = map(torch.from_numpy, guests(1500, rng))
        self.model = StarNet()
        self.opt = torch.optim.Adam(self.model.parameters(), lr=2e-3)
        self.watch = dressage.watch(self.model, self.opt)

    def fit(self):
        for _ in range(self.epochs):
            for rows in torch.randperm(len(self.x)).split(self.batch):
                loss = ordinal_loss(self.model(self.x[rows]), self.y[rows])
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                self.watch.step(loss)
            with torch.no_grad():
                out = self.model(self.vx)
            self.watch.validated(loss=ordinal_loss(out, self.vy).item(), metric=exact(out, self.vy))
        return exact(out, self.vy)


e = Experiment()
done(e.watch, e.fit())
