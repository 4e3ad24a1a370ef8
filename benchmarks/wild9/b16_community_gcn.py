"""Find the community of the nodes of a made-up network with a graph convolution net, few labels.

cause: model.bottleneck
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from kit import FIX, SEED, done, dressage

HIDDEN = 64 if FIX else 2

rng = np.random.default_rng(9 + SEED)
n, k = 1000, 8
community = rng.integers(0, k, n)
chance = np.where(community[:, None] == community[None], 0.045, 0.004)
edges = np.triu(rng.random((n, n)) < chance, 1)
A = torch.from_numpy((edges | edges.T | np.eye(n, dtype=bool)).astype(np.float32))
A = A / A.sum(1).sqrt()[:, None] / A.sum(0).sqrt()[None]
centres = rng.normal(size=(k, 24))
X = torch.from_numpy((0.6 * centres[community] + rng.normal(size=(n, 24))).astype(np.float32))
y = torch.from_numpy(community)
shuffled = torch.from_numpy(rng.permutation(n))
train, val, test = shuffled[:400], shuffled[400:600], shuffled[600:]


class GCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("A", A)
        self.a = nn.Linear(24, HIDDEN)
        self.b = nn.Linear(HIDDEN, k)
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        h = F.relu(self.A @ self.a(x))
        return self.A @ self.b(self.drop(h))


model = GCN()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
watch = dressage.watch(model, optimizer)

for epoch in range(300):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(X)[train], y[train])
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if epoch % 10 == 9:
        model.eval()
        with torch.no_grad():
            out = model(X)
            watch.validated(
                loss=F.cross_entropy(out[val], y[val]).item(),
                metric=(out[val].argmax(1) == y[val]).float().mean().item(),
            )

done(watch, (out[test].argmax(1) == y[test]).float().mean())
