"""Rank card payments by how likely they are fraud; about one in twenty is."""

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch.utils.data import DataLoader, TensorDataset

from kit import SEED, done, dressage


def payments(n, seed):
    g = np.random.default_rng(seed)
    x = g.normal(size=(n, 10))
    x[:, 0] = g.gamma(2, 1, n)
    x[:, 1] = g.uniform(0, 24, n)
    x[:, 2] = g.random(n) < 0.2
    night = np.exp(-((((x[:, 1] + 12) % 24 - 15) / 3) ** 2))
    s = (
        1.6 * (np.log(x[:, 0]) - 0.4)
        + 2.4 * night
        + 1.8 * x[:, 2]
        + 1.5 * x[:, 3]
        - 1.3 * x[:, 4]
        + 1.2 * x[:, 5] * x[:, 2]
    )
    y = (s * 1.6 + g.logistic(0, 0.8, n) > 9.0).astype(np.float32)
    hour = x[:, 1] / 24 * 2 * np.pi
    cols = [np.log(x[:, 0]), np.sin(hour), np.cos(hour)] + [x[:, k] for k in range(2, 10)]
    return np.stack(cols, 1).astype(np.float32), y


X, y = payments(16000, SEED)
X_train, y_train, X_val, y_val = X[:12000], y[:12000], X[12000:], y[12000:]
mean, std = X_train.mean(0), X_train.std(0)
to_set = lambda a, b: TensorDataset(torch.from_numpy((a - mean) / std), torch.from_numpy(b).unsqueeze(1))
train_loader = DataLoader(to_set(X_train, y_train), batch_size=100, shuffle=True)
val_loader = DataLoader(to_set(X_val, y_val), batch_size=1000)

model = torch.nn.Sequential(
    torch.nn.Linear(11, 32),
    torch.nn.GELU(),
    torch.nn.LayerNorm(32),
    torch.nn.Linear(32, 16),
    torch.nn.GELU(),
    torch.nn.Linear(16, 1),
)
criterion = torch.nn.BCEWithLogitsLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-3, weight_decay=0.02)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)


def auc(output, target):
    return roc_auc_score(target.numpy().ravel(), output.detach().numpy().ravel())


def evaluate():
    model.eval()
    with torch.no_grad():
        pairs = [(model(xb), yb) for xb, yb in val_loader]
    out, target = torch.cat([p[0] for p in pairs]), torch.cat([p[1] for p in pairs])
    return criterion(out, target).item(), auc(out, target)


watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader, metric=auc)
for epoch in range(10):
    model.train()
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    val_loss, val_auc = evaluate()
    watch.validated(loss=val_loss, metric=val_auc)
done(watch, val_auc)
