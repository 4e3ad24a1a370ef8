"""Stage 0 to 4 of a disease, in order: one score and four thresholds (score: 1 - MAE / MAE of the middle stage)."""

import numpy as np
import torch
import torch.nn.functional as F
from kit import SEED, done, dressage
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn

data = load_breast_cancer().data
area = data[:, 23]
stage = np.digitize(area, np.quantile(area, [0.2, 0.4, 0.6, 0.8]))
features = np.delete(data, [0, 2, 3, 10, 12, 13, 20, 22, 23], 1)
xtr, xva, ytr, yva = train_test_split(features, stage, test_size=150, random_state=SEED)
mean, std = xtr.mean(0), xtr.std(0)
xtr, xva = (torch.tensor((a - mean) / std, dtype=torch.float32) for a in (xtr, xva))
ytr, yva = torch.tensor(ytr), torch.tensor(yva)


class Ordinal(nn.Module):
    def __init__(self, n, levels):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n, 24), nn.Tanh(), nn.Linear(24, 1, bias=False))
        self.first = nn.Parameter(torch.tensor(-1.5))
        self.gaps = nn.Parameter(torch.zeros(levels - 2))

    def forward(self, x):
        cuts = torch.cat([self.first[None], self.first + F.softplus(self.gaps).cumsum(0)])
        return self.body(x) - cuts


def cumulative_loss(logits, stage):
    above = (stage[:, None] > torch.arange(4)).float()
    return F.binary_cross_entropy_with_logits(logits, above)


net = Ordinal(xtr.shape[1], 5)
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=1e-2)
watch = dressage.watch(net, optimizer, cumulative_loss, train=(xtr, ytr), val=(xva, yva))
for epoch in range(40):
    for rows in torch.randperm(len(xtr)).split(42):
        loss = cumulative_loss(net(xtr[rows]), ytr[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    guess = (net(xva) > 0).sum(1)
done(watch, 1 - (guess - yva).abs().float().mean() / (2 - yva).abs().float().mean())
