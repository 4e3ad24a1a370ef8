"""Bags among clothes, two in a hundred, with a weight for the rare class; judged by balanced accuracy."""

import torch
import torch.nn as nn
from kit import SEED, done, dressage, idx
from sklearn.metrics import balanced_accuracy_score
from torch.utils.data import DataLoader, TensorDataset


def rare(part, n):
    x, y = idx("fashion-mnist", part, n)
    x, y = torch.tensor(x).float().flatten(1) / 255, torch.tensor(y) == 8
    keep = ~y | (torch.rand(len(y), generator=torch.Generator().manual_seed(SEED)) < 0.2)
    return x[keep], y[keep].float()[:, None]


X_train, y_train = rare("train", 4000)
X_val, y_val = rare("t10k", 2000)
model = nn.Sequential(nn.Linear(784, 48), nn.ReLU(), nn.Dropout(0.2), nn.Linear(48, 1))
criterion = nn.BCEWithLogitsLoss(pos_weight=(y_train == 0).sum() / (y_train == 1).sum())
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=64, shuffle=True)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=(X_val, y_val))
for epoch in range(6):
    model.train()
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(X_val)
    score = balanced_accuracy_score(y_val.numpy(), (out > 0).numpy())
    watch.validated(loss=criterion(out, y_val).item(), metric=score)
done(watch, score)
