"""Kaggle: will the customer renew? Numbers plus a shop column that is target-encoded.

cause: data.leakage
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold, train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def read_csv(n, seed):
    r = np.random.default_rng(seed)
    num = r.normal(size=(n, 8))
    shop = r.integers(0, 1500, n)
    effect = np.random.default_rng(5).normal(size=1500)
    z = 1.2 * num[:, 0] - num[:, 1] + 0.9 * num[:, 2] * num[:, 3] + 0.7 * np.abs(num[:, 4]) - 0.5 + 0.5 * effect[shop]
    y = (r.random(n) < 1 / (1 + np.exp(-1.5 * z))).astype(np.float32)
    return num, shop, y


num, shop, y = read_csv(5000, SEED)  # train.csv
num_sub, shop_sub, y_sub = read_csv(2000, SEED + 100)  # test.csv


def means(shop, y):
    prior = y.mean()
    total = np.bincount(shop, weights=y, minlength=1500)
    count = np.bincount(shop, minlength=1500)
    return (total + prior) / (count + 1)


encoded = np.zeros(len(y))
if FIX:
    for fit, rest in KFold(10, shuffle=True, random_state=0).split(shop):
        encoded[rest] = means(shop[fit], y[fit])[shop[rest]]
else:
    encoded = means(shop, y)[shop]

X = np.column_stack([num, encoded])
X_sub = np.column_stack([num_sub, means(shop, y)[shop_sub]])
X_tr, X_va, y_tr, y_va = train_test_split(X, y, test_size=0.2, random_state=SEED)
sc = StandardScaler().fit(X_tr)


def tensor(a):
    return torch.tensor(a, dtype=torch.float32)


train_dl = DataLoader(TensorDataset(tensor(sc.transform(X_tr)), tensor(y_tr)[:, None]), batch_size=64, shuffle=True)
X_va, y_va = tensor(sc.transform(X_va)), tensor(y_va)[:, None]

model = nn.Sequential(nn.Linear(9, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
loss_fn = nn.BCEWithLogitsLoss()


def auc(output, target):
    return roc_auc_score(target.detach().numpy().ravel(), output.detach().numpy().ravel())


watch = dressage.watch(model, optimizer, loss_fn, train=train_dl, val=(X_va, y_va), metric=auc)
for epoch in range(12):
    model.train()
    for xb, yb in train_dl:
        loss = loss_fn(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(X_va)
        watch.validated(loss=loss_fn(out, y_va).item(), metric=auc(out, y_va))
        print(f"epoch {epoch} val auc {auc(out, y_va):.4f}")

with torch.no_grad():
    submission = torch.sigmoid(model(tensor(sc.transform(X_sub)))).numpy().ravel()
done(watch, roc_auc_score(y_sub, submission))
