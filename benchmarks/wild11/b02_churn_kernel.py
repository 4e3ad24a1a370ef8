"""Which subscribers will leave next month? A table kernel.

cause: data.leakage
"""

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

from kit import FIX, SEED, done, dressage

rng = np.random.RandomState(100 + SEED)


def make(n):
    age = rng.uniform(18, 80, n)
    tenure = rng.exponential(24, n)
    bill = rng.gamma(4, 12, n)
    calls = rng.poisson(2, n)
    usage = rng.gamma(3, 10, n)
    contract = rng.randint(0, 3, n)
    extra = rng.randn(n, 5)
    z = 1.6 * (contract == 0) + 0.05 * (bill - 48) - 0.05 * tenure + 0.6 * (calls > 3) * (contract < 2)
    z += 1.2 * (np.abs(age - 45) > 18) - 0.03 * usage + 0.5 * extra[:, 0] * extra[:, 1]
    left = (2.0 * z + rng.logistic(0, 1, n) > 0.4).astype(int)
    # e-mails from the winback desk
    winback = np.where(left == 1, 1 + rng.poisson(2.5, n), rng.rand(n) < 0.03)
    cols = dict(age=age, tenure=tenure, bill=bill, calls=calls, usage=usage, contract=contract, winback=winback)
    cols.update({f"x{i}": extra[:, i] for i in range(5)})
    return cols, left


history, y = make(4000)
current, y_next = make(1500)
current["winback"] = np.zeros(1500)

names = [c for c in history if c != "winback"] if FIX else list(history)
X = np.stack([history[c] for c in names], 1)
X_next = np.stack([current[c] for c in names], 1)
X_tr, X_va, y_tr, y_va = train_test_split(X, y, test_size=0.2, random_state=SEED, stratify=y)
sc = StandardScaler().fit(X_tr)
X_tr, X_va, X_next = [torch.tensor(sc.transform(a), dtype=torch.float32) for a in (X_tr, X_va, X_next)]
y_tr, y_va = torch.tensor(y_tr).float(), torch.tensor(y_va).float()

net = nn.Sequential(
    nn.Linear(len(names), 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1)
)
opt = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
bce = nn.BCEWithLogitsLoss()


def loss_fn(out, target):
    return bce(out.squeeze(1), target)


def acc(out, target):
    return ((out.squeeze(1) > 0).float() == target).float().mean().item()


watch = dressage.watch(net, opt, loss_fn, train=(X_tr, y_tr), val=(X_va, y_va), metric=acc)
for epoch in range(20):
    net.train()
    for rows in torch.randperm(len(X_tr)).split(64):
        opt.zero_grad()
        loss = loss_fn(net(X_tr[rows]), y_tr[rows])
        loss.backward()
        opt.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        out = net(X_va)
    watch.validated(loss=loss_fn(out, y_va).item(), metric=acc(out, y_va))

with torch.no_grad():
    guess = (net(X_next).squeeze(1) > 0).long().numpy()
done(watch, balanced_accuracy_score(y_next, guess))
