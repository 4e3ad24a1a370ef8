"""Tumour malignant or benign from the Wisconsin table: baseline neural net in the style of a Kaggle script."""

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from kit import SEED, done, dressage

CFG = dict(epochs=50, bs=32, lr=2e-3, wd=1e-2, hidden=32)

data = load_breast_cancer()
X_train, X_test, y_train, y_test = train_test_split(
    data.data, data.target, test_size=0.3, stratify=data.target, random_state=42
)
sc = StandardScaler()
X_train = torch.tensor(sc.fit_transform(X_train), dtype=torch.float32)
X_test = torch.tensor(sc.transform(X_test), dtype=torch.float32)
y_train = torch.tensor(y_train, dtype=torch.float32).view(-1, 1)
y_test = torch.tensor(y_test, dtype=torch.float32).view(-1, 1)

model = nn.Sequential(
    nn.Linear(30, CFG["hidden"]), nn.BatchNorm1d(CFG["hidden"]), nn.ReLU(), nn.Dropout(0.4), nn.Linear(CFG["hidden"], 1)
)
opt = torch.optim.AdamW(model.parameters(), lr=CFG["lr"], weight_decay=CFG["wd"])
loss_fn = nn.BCEWithLogitsLoss()
watch = dressage.watch(
    model,
    opt,
    loss_fn,
    train=(X_train, y_train),
    val=(X_test, y_test),
    metric=lambda o, t: ((o > 0).float() == t).float().mean().item(),
)

rng = np.random.default_rng(SEED)
for ep in range(CFG["epochs"]):
    model.train()
    perm = torch.from_numpy(rng.permutation(len(X_train)))
    for i in range(0, len(perm) - CFG["bs"] + 1, CFG["bs"]):
        b = perm[i : i + CFG["bs"]]
        opt.zero_grad()
        loss = loss_fn(model(X_train[b]), y_train[b])
        loss.backward()
        opt.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        z = model(X_test)
        vl, acc = loss_fn(z, y_test).item(), ((z > 0).float() == y_test).float().mean().item()
    watch.validated(loss=vl, metric=acc)
    if ep % 10 == 9:
        print(f"ep {ep + 1:02d} val {vl:.4f} acc {acc:.4f} auc {roc_auc_score(y_test.numpy(), z.numpy()):.4f}")
done(watch, acc)
