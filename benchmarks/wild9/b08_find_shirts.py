"""Find the few shirts among many other upper garments (Fashion-MNIST).

cause: data.class_imbalance
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.metrics import balanced_accuracy_score
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage, idx

x, y = idx("fashion-mnist", "train", 20000)
xt, yt = idx("fashion-mnist", "t10k", 5000)
rng = np.random.default_rng(SEED)


def select(x, y, shirts, others):
    a = rng.permutation(np.flatnonzero(y == 6))[:shirts]
    b = rng.permutation(np.flatnonzero(np.isin(y, (1, 2, 3, 4))))[:others]
    rows = rng.permutation(np.concatenate([a, b]))
    return torch.tensor(x[rows] / 255.0, dtype=torch.float32).flatten(1), torch.tensor(
        y[rows] == 6, dtype=torch.float32
    )


X, Y = select(x, y, 150, 6000)
XV, YV = select(xt, yt, 75, 1900)
loader = DataLoader(TensorDataset(X, Y), batch_size=64, shuffle=True)

model = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 1), nn.Flatten(0))
weight = (Y == 0).sum() / Y.sum() if FIX else None
loss_fn = nn.BCEWithLogitsLoss(pos_weight=weight)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-4, weight_decay=1e-4)


def accuracy(output, target):
    return ((output > 0).float() == target).float().mean().item()


watch = dressage.watch(model, optimizer, loss_fn, train=loader, val=(XV, YV), metric=accuracy)
for epoch in range(8):
    model.train()
    for a, b in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(a), b)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        o = model(XV)
        watch.validated(loss=loss_fn(o, YV).item(), metric=accuracy(o, YV))

done(watch, balanced_accuracy_score(YV.numpy(), (o > 0).numpy()))
