"""Node classification in a made-up citation network: two graph convolutions, the whole graph in each step."""

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

from kit import SEED, done, dressage

rng = np.random.default_rng(SEED)
n, k, words = 1200, 5, 200
topic = rng.integers(0, k, n)
prob = np.where(topic[:, None] == topic[None], 0.012, 0.0018)
upper = np.triu(rng.random((n, n)) < prob, 1)
A = (upper | upper.T | np.eye(n, dtype=bool)).astype(np.float32)
d = A.sum(1) ** -0.5
A = torch.tensor(A * d[:, None] * d[None])
profile = rng.dirichlet(np.full(words, 0.6), k)
X = np.stack([rng.multinomial(12, 0.5 * profile[t] + 0.5 / words) for t in topic]).astype(np.float32)
X = torch.tensor(X / X.sum(1, keepdims=True)) * 10
y = torch.tensor(topic)
perm = torch.tensor(rng.permutation(n))
train, val, test = perm[:400], perm[400:700], perm[700:]


class GCN(nn.Module):
    def __init__(self, hidden=64, p=0.5):
        super().__init__()
        self.first, self.second, self.p = nn.Linear(words, hidden), nn.Linear(hidden, k), p

    def forward(self, x):
        x = F.dropout(x, self.p, self.training)
        h = F.relu(A @ self.first(x))
        h = F.dropout(h, self.p, self.training)
        return A @ self.second(h)


model = GCN()
optimizer = torch.optim.Adam(
    [
        {"params": model.first.parameters(), "weight_decay": 2e-2},
        {"params": model.second.parameters(), "weight_decay": 5e-3},
    ],
    lr=0.01,
)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 160)
watch = dressage.watch(model, optimizer)
best, best_test = 1e9, 0.0
for epoch in range(160):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(X)[train], y[train])
    loss.backward()
    optimizer.step()
    scheduler.step()
    watch.step(loss)
    if epoch % 10 == 9:
        model.eval()
        with torch.no_grad():
            out = model(X)
        vl = F.cross_entropy(out[val], y[val]).item()
        va = (out[val].argmax(1) == y[val]).float().mean().item()
        watch.validated(loss=vl, metric=va)
        ta = (out[test].argmax(1) == y[test]).float().mean().item()
        if vl < best:
            best, best_test = vl, ta
        print(epoch, f"{loss.item():.3f} {vl:.3f} {va:.3f} {ta:.3f}")
done(watch, ta)
