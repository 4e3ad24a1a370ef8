"""Semi-supervised node classification with a two-layer graph network on a made-up citation graph, 40 labelled nodes a class."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from kit import done, dressage

rng = np.random.default_rng(17)
N, C, D = 1000, 4, 60
label = rng.integers(0, C, N)
same = label[:, None] == label[None]
A = np.triu(rng.random((N, N)) < np.where(same, 0.014, 0.0025), 1)
A = (A | A.T).astype(np.float32)
topic = rng.normal(0, 0.22, (C, D))
X = (rng.normal(size=(N, D)) + topic[label]).astype(np.float32)

A_hat = A + np.eye(N, dtype=np.float32)
d = 1 / np.sqrt(A_hat.sum(1))
A_hat = torch.from_numpy(A_hat * d[:, None] * d[None]).to_sparse()
X, y = torch.from_numpy(X), torch.from_numpy(label)
train_mask = torch.zeros(N, dtype=torch.bool)
for c in range(C):
    train_mask[np.flatnonzero(label == c)[:40]] = True
rest = torch.nonzero(~train_mask).squeeze(1)
val_idx, test_idx = rest[:300], rest[300:]


class GCN(nn.Module):
    def __init__(self, d, h, c):
        super().__init__()
        self.lin1 = nn.Linear(d, h, bias=False)
        self.lin2 = nn.Linear(h, c, bias=False)

    def forward(self, x):
        x = F.dropout(x, 0.5, self.training)
        x = F.relu(torch.sparse.mm(A_hat, self.lin1(x)))
        x = F.dropout(x, 0.6, self.training)
        return torch.sparse.mm(A_hat, self.lin2(x))


model = GCN(D, 16, C)
optimizer = torch.optim.Adam(
    [{"params": model.lin1.parameters(), "weight_decay": 2e-2}, {"params": model.lin2.parameters()}], lr=0.01
)
watch = dressage.watch(model, optimizer)

for epoch in range(300):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(X)[train_mask], y[train_mask])
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if epoch % 5 == 4:
        model.eval()
        with torch.no_grad():
            out = model(X)
        val_loss = F.cross_entropy(out[val_idx], y[val_idx]).item()
        val_acc = (out[val_idx].argmax(1) == y[val_idx]).float().mean().item()
        test_acc = (out[test_idx].argmax(1) == y[test_idx]).float().mean().item()
        watch.validated(loss=val_loss, metric=val_acc)
        if epoch % 50 == 49:
            print(epoch + 1, f"{loss.item():.3f} {val_loss:.3f} {val_acc:.3f} {test_acc:.3f}")
done(watch, test_acc)
