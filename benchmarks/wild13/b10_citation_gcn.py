"""Guess the field of papers in a citation graph from their words and from what they cite.

cause: optim.frozen_params
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(20 + SEED)
N, C, WORDS = 1600, 6, 300
field = rng.integers(0, C, N)
topic = rng.dirichlet(np.full(WORDS, 0.35), C) * 0.45 + rng.dirichlet(np.full(WORDS, 1.0)) * 0.55
words = np.stack([np.minimum(rng.multinomial(18, topic[f]), 1) for f in field]).astype(np.float32)
same = field[:, None] == field[None]
link = np.triu(rng.random((N, N)) < np.where(same, 0.010, 0.0018), 1)
A = torch.tensor((link | link.T).astype(np.float32)) + torch.eye(N)
d = A.sum(1).rsqrt()
A = (d[:, None] * A * d[None]).to_sparse()
X, y = torch.tensor(words), torch.tensor(field)
order = torch.tensor(rng.permutation(N))
train, val, test = order[:500], order[500:800], order[800:]


class GraphConv(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.lin = nn.Linear(i, o)

    def forward(self, x):
        return torch.sparse.mm(A, self.lin(x))


class GCN(nn.Module):
    def __init__(self, hidden=16, depth=2):
        super().__init__()
        convs = [GraphConv(WORDS if k == 0 else hidden, hidden) for k in range(depth)]
        self.convs = nn.ModuleList(convs) if FIX else convs
        self.head = nn.Linear(hidden, C)

    def forward(self, x):
        for conv in self.convs:
            x = F.dropout(F.relu(conv(x)), 0.3, self.training)
        return self.head(x)


model = GCN()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
watch = dressage.watch(model, optimizer)
for epoch in range(300):
    model.train()
    loss = F.cross_entropy(model(X)[train], y[train])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if epoch % 20 == 19:
        model.eval()
        with torch.no_grad():
            out = model(X)[val]
        watch.validated(
            loss=F.cross_entropy(out, y[val]).item(), metric=(out.argmax(1) == y[val]).float().mean().item()
        )

model.eval()
with torch.no_grad():
    done(watch, (model(X)[test].argmax(1) == y[test]).float().mean().item())
