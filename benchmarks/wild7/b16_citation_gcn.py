"""Node classification on a citation graph with a graph convolutional network.

cause: optim.frozen_params
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, SEED, done, dressage

# papers, their words, and who cites whom
rng = np.random.default_rng(SEED)
N, C, WORDS = 900, 6, 300
y = rng.integers(0, C, N)
topic = rng.dirichlet(np.full(WORDS, 0.3), C)
background = rng.dirichlet(np.full(WORDS, 0.5))
bags = np.stack([rng.multinomial(25, 0.35 * topic[k] + 0.65 * background) for k in y])
same = y[:, None] == y[None]
upper = np.triu(rng.random((N, N)) < np.where(same, 0.012, 0.0016), 1)
adj = upper | upper.T

A = torch.tensor(adj, dtype=torch.float32) + torch.eye(N)
deg = A.sum(1)
A_hat = A / (deg[:, None] * deg[None]).sqrt()
X = torch.tensor((bags > 0) - (bags > 0).mean(0), dtype=torch.float32)
Y = torch.tensor(y)
order = torch.randperm(N)
train_idx, val_idx, test_idx = order[:300], order[300:500], order[500:]


class GraphConv(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.lin = nn.Linear(i, o)
        nn.init.xavier_uniform_(self.lin.weight)
        nn.init.zeros_(self.lin.bias)

    def forward(self, x):
        return A_hat @ self.lin(x)


class GCN(nn.Module):
    def __init__(self, widths=(WORDS, 32, 32), dropout=0.5):
        super().__init__()
        self.convs = [GraphConv(i, o) for i, o in zip(widths[:-1], widths[1:])]
        if FIX:
            self.convs = nn.ModuleList(self.convs)
        self.classifier = nn.Linear(widths[-1], C)
        self.dropout = dropout

    def forward(self, x):
        for conv in self.convs:
            x = F.relu(conv(F.dropout(x, self.dropout, self.training)))
        return self.classifier(x)


model = GCN()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=5e-3)
watch = dressage.watch(model, optimizer)

for epoch in range(200):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(X)[train_idx], Y[train_idx])
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if (epoch + 1) % 10 == 0:
        model.eval()
        with torch.no_grad():
            out = model(X)
            val_loss = F.cross_entropy(out[val_idx], Y[val_idx]).item()
            val_acc = (out[val_idx].argmax(1) == Y[val_idx]).float().mean().item()
        watch.validated(loss=val_loss, metric=val_acc)
        print(f"{epoch + 1:4d} loss {loss.item():.3f} val {val_loss:.3f} acc {val_acc:.3f}")

test_acc = (out[test_idx].argmax(1) == Y[test_idx]).float().mean().item()
done(watch, test_acc)
