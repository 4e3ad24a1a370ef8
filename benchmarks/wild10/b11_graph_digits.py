"""Semi-supervised node classification: a graph network over the neighbour graph of the digits, 300 labels known.

cause: optim.lr_too_low
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.neighbors import kneighbors_graph

from kit import FIX, SEED, done, dressage

X, y = load_digits(return_X_y=True)
A = kneighbors_graph(X, 6, include_self=True)
A = A.maximum(A.T).tocoo()
degree = torch.tensor(A.sum(1)).float().ravel()
where = torch.tensor([A.row.tolist(), A.col.tolist()])
weight = (degree[where[0]] * degree[where[1]]).rsqrt()
A = torch.sparse_coo_tensor(where, weight, (len(X), len(X))).coalesce()
X = torch.tensor((X - 4.9) / 6.0, dtype=torch.float32)
y = torch.tensor(y)
order = torch.randperm(len(X), generator=torch.Generator().manual_seed(SEED))
known, hidden = order[:300], order[300:]


class GraphConv(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.lin = nn.Linear(i, o)

    def forward(self, a, h):
        return torch.sparse.mm(a, self.lin(h))


class GCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.g1, self.g2 = GraphConv(64, 32), GraphConv(32, 10)

    def forward(self, x):
        h = F.dropout(F.relu(self.g1(A, x)), 0.3, self.training)
        return self.g2(A, h)


model = GCN()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3 if FIX else 2e-4, weight_decay=5e-4)
watch = dressage.watch(model, optimizer)

for epoch in range(300):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(X)[known], y[known])
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if epoch % 10 == 9:
        model.eval()
        with torch.no_grad():
            out = model(X)[hidden]
        acc = (out.argmax(1) == y[hidden]).float().mean().item()
        watch.validated(loss=F.cross_entropy(out, y[hidden]).item(), metric=acc)

done(watch, acc)
