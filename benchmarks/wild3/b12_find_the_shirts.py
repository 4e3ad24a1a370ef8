"""Finding the few shirts among T-shirts, pullovers, and coats.

cause: data.class_imbalance
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage, idx
from sklearn.metrics import balanced_accuracy_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(SEED)


def shirts(part, n, share):
    x, y = idx("fashion-mnist", part, n)
    tops = np.isin(y, [0, 2, 4, 6])
    x, y = x[tops], (y[tops] == 6).astype(np.float32)
    other = np.flatnonzero(y == 0)
    few = rng.permutation(np.flatnonzero(y == 1))[: int(share * len(other))]
    keep = rng.permutation(np.concatenate([other, few]))
    return TensorDataset(torch.tensor(x[keep]).float().flatten(1) / 255, torch.tensor(y[keep])[:, None])


train_set, val_set = shirts("train", 9000, 0.03), shirts("t10k", 5000, 0.06)
model = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 1))
criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(25.0) if FIX else None)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
loader = DataLoader(train_set, batch_size=64, shuffle=True)
watch = dressage.watch(model, optimizer, criterion, train=train_set, val=val_set)
for epoch in range(10):
    for x, y in loader:
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    x, y = val_set.tensors
    found = model(x) > 0
done(watch, balanced_accuracy_score(y.bool(), found))
