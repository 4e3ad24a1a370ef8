"""Which field is a paper from? A two-layer graph network over a citation graph.

cause: optim.over_regularised
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from kit import FIX, SEED, done, dressage

rng = np.random.RandomState(SEED)
N, C, WORDS = 1000, 6, 300
label = rng.randint(0, C, N)
same = label[:, None] == label[None]
A = np.triu(rng.rand(N, N) < np.where(same, 0.010, 0.0018), 1).astype(float)
A = A + A.T
topic = rng.dirichlet(np.full(WORDS, 0.25), C)
mix = 0.35 * topic[label] + 0.65 * topic.mean(0)
feats = np.stack([rng.multinomial(18, p) for p in mix]) > 0
A_hat = A + np.eye(N)
deg = A_hat.sum(1)
A_hat = torch.tensor(A_hat / np.sqrt(deg[:, None] * deg[None])).float()
X = torch.tensor(feats / np.maximum(feats.sum(1, keepdims=True), 1)).float()
y = torch.tensor(label)
order = torch.tensor(rng.permutation(N))
train_idx, val_idx, test_idx = order[:240], order[240:500], order[500:]


class GCN(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.w1 = nn.Linear(WORDS, hidden)
        self.w2 = nn.Linear(hidden, C)

    def forward(self, x):
        x = F.dropout(x, 0.5, self.training)
        h = F.relu(A_hat @ self.w1(x))
        h = F.dropout(h, 0.5, self.training)
        return A_hat @ self.w2(h)


model = GCN()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4 if FIX else 5e-3)
watch = dressage.watch(model, optimizer)


def accuracy(rows):
    model.eval()
    with torch.no_grad():
        out = model(X)
    return F.cross_entropy(out[rows], y[rows]).item(), (out[rows].argmax(1) == y[rows]).float().mean().item()


for epoch in range(300):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(X)[train_idx], y[train_idx])
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if epoch % 10 == 9:
        v_loss, v_acc = accuracy(val_idx)
        watch.validated(loss=v_loss, metric=v_acc)

done(watch, accuracy(test_idx)[1])
