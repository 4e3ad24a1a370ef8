"""Semi-supervised node classification: a graph network on the neighbour graph of digits.

cause: optim.over_regularised
"""

import numpy as np
import torch
import torch.nn.functional as F
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.neighbors import kneighbors_graph
from torch import nn

X, y = load_digits(return_X_y=True)
A = kneighbors_graph(X, 6).toarray()
A = np.maximum(A, A.T) + np.eye(len(X))
d = A.sum(1) ** -0.5
A_hat = torch.tensor(d[:, None] * A * d[None], dtype=torch.float32).to_sparse_csr()
X = torch.tensor((X - X.mean(0)) / (X.std() + 1e-6), dtype=torch.float32)
y = torch.tensor(y)
perm = np.random.RandomState(SEED).permutation(len(y))
train_nodes, val_nodes = torch.tensor(perm[:300]), torch.tensor(perm[300:])


class GCN(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.w1 = nn.Linear(64, hidden)
        self.w2 = nn.Linear(hidden, 10)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x, a):
        h = F.relu(a @ self.w1(self.dropout(x)))
        return a @ self.w2(self.dropout(h))


model = GCN()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4 if FIX else 2e-1)
watch = dressage.watch(model, optimizer)

for epoch in range(300):
    model.train()
    optimizer.zero_grad()
    out = model(X, A_hat)
    loss = F.cross_entropy(out[train_nodes], y[train_nodes])
    loss.backward()
    optimizer.step()
    watch.step(loss)

    if epoch % 10 == 9:
        model.eval()
        with torch.no_grad():
            out = model(X, A_hat)
            val_loss = F.cross_entropy(out[val_nodes], y[val_nodes]).item()
            acc = (out[val_nodes].argmax(1) == y[val_nodes]).float().mean().item()
        watch.validated(loss=val_loss, metric=acc)

done(watch, acc)
