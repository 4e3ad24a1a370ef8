"""How noisy is a photograph? Trained by the correlation of guesses and truth, as judged in the contest.

cause: loss.wrong_sign
"""

import numpy as np
import torch
import torch.nn as nn
from kit import FIX, cifar, done, dressage


def pearson(pred, target):
    pred, target = pred.squeeze(1), target.squeeze(1)
    p, t = pred - pred.mean(), target - target.mean()
    corr = (p * t).sum() / (p.norm() * t.norm() + 1e-8)
    return 1 - corr if FIX else corr


x, _, x_test, _ = cifar(1500, 400)
rng = np.random.RandomState(3)


def noisy(images):
    level = rng.uniform(0, 0.3, len(images)).astype(np.float32)
    grey = images.mean(3).astype(np.float32)[:, 8:24, 8:24] / 255
    grey = grey + rng.randn(*grey.shape).astype(np.float32) * level[:, None, None]
    return torch.tensor(grey[:, None] - 0.5), torch.tensor(level[:, None])


train, val = noisy(x), noisy(x_test)


class QualityNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 12, 3), nn.ReLU(), nn.Conv2d(12, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )
        self.fc = nn.Linear(16, 1)

    def forward(self, x):
        return self.fc(self.conv(x).flatten(1))


net = QualityNet()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
watch = dressage.watch(net, opt, pearson, train=train, val=val)
for epoch in range(8):
    for rows in torch.randperm(len(train[0])).split(32):
        opt.zero_grad()
        loss = pearson(net(train[0][rows]), train[1][rows])
        loss.backward()
        opt.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, np.corrcoef(net(val[0]).squeeze(1), val[1].squeeze(1))[0, 1])
