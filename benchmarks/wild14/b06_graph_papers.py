"""Node classification on a citation-like graph with message passing layers.

cause: optim.frozen_params
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(SEED)
N, C, D = 1200, 6, 120
y = rng.integers(0, C, N)
topics = rng.random((C, D)) < 0.12
X = (rng.random((N, D)) < np.where(topics[y], 0.14, 0.05)).astype(np.float32)
A = np.zeros((N, N), np.float32)
for i in range(N):
    for _ in range(3):
        same = rng.random() < 0.65
        pool = np.where(y == y[i])[0] if same else np.arange(N)
        j = rng.choice(pool)
        A[i, j] = A[j, i] = 1
A += np.eye(N, dtype=np.float32)
d = A.sum(1) ** -0.5
adj = torch.tensor(A * d[:, None] * d[None])
X, y = torch.tensor(X), torch.tensor(y)
order = rng.permutation(N)
tr, va, te = (torch.tensor(order[a:b]) for a, b in ((0, 500), (500, 800), (800, N)))


class Conv(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.lin = nn.Linear(i, o)

    def forward(self, h, a):
        return torch.relu(a @ self.lin(h))


class GCN(nn.Module):
    def __init__(self, width=12, depth=2):
        super().__init__()
        layers = [Conv(D if k == 0 else width, width) for k in range(depth)]
        self.layers = nn.ModuleList(layers) if FIX else layers
        self.head = nn.Linear(width, C)

    def forward(self, x, a):
        for layer in self.layers:
            x = F.dropout(layer(x, a), 0.2, self.training)
        return self.head(x)


model = GCN()
opt = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-3)
watch = dressage.watch(model, opt)
for epoch in range(300):
    model.train()
    opt.zero_grad()
    loss = F.cross_entropy(model(X, adj)[tr], y[tr])
    loss.backward()
    opt.step()
    watch.step(loss)
    if epoch % 10 == 9:
        model.eval()
        with torch.no_grad():
            out = model(X, adj)
        watch.validated(
            loss=F.cross_entropy(out[va], y[va]).item(), metric=(out[va].argmax(1) == y[va]).float().mean().item()
        )
done(watch, (out[te].argmax(1) == y[te]).float().mean().item())
