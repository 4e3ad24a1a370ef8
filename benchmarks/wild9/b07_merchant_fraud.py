"""Is a payment disputed later? A table with a merchant column that is replaced by its average outcome (made up).

cause: data.leakage
"""

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
from torch import nn

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(7 + SEED)
n, later = 3000, 1500
merchant = rng.integers(0, 1500, n + later)
features = rng.normal(size=(n + later, 10))
risk = rng.normal(size=1500) * 0.3
logit = (
    1.3 * features[:, 0]
    - features[:, 1]
    + features[:, 2] * features[:, 3]
    + 0.8 * np.abs(features[:, 4])
    - 0.7
    + risk[merchant]
)
disputed = (rng.random(n + later) < 1 / (1 + np.exp(-2 * logit))).astype(float)


def averages(ids, outcome, prior=0.5):
    total = np.zeros(1500)
    count = np.zeros(1500)
    np.add.at(total, ids, outcome)
    np.add.at(count, ids, 1)
    table = np.full(1500, outcome.mean())
    table[count > 0] = total[count > 0] / count[count > 0]
    return table


past = slice(0, n)
encoded = np.zeros(n + later)
if FIX:
    for fit, hold in KFold(5, shuffle=True, random_state=0).split(np.arange(n)):
        encoded[hold] = averages(merchant[fit], disputed[fit])[merchant[hold]]
else:
    encoded[past] = averages(merchant[past], disputed[past])[merchant[past]]
encoded[n:] = averages(merchant[past], disputed[past])[merchant[n:]]

table = np.column_stack([features, (encoded - encoded[past].mean()) / encoded[past].std()]).astype(np.float32)
order = rng.permutation(n)
tr, va = order[:2400], order[2400:]
X, y = torch.from_numpy(table), torch.from_numpy(disputed.astype(np.float32))

model = nn.Sequential(
    nn.Linear(11, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0)
)
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4)


def auc(output, target):
    return roc_auc_score(target.numpy(), output.detach().numpy())


watch = dressage.watch(model, optimizer, loss_fn, train=(X[tr], y[tr]), val=(X[va], y[va]), metric=auc)
for epoch in range(14):
    model.train()
    for rows in torch.from_numpy(rng.permutation(tr)).split(32):
        optimizer.zero_grad()
        loss = loss_fn(model(X[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(X[va])
    watch.validated(loss=loss_fn(out, y[va]).item(), metric=auc(out, y[va]))

model.eval()
with torch.no_grad():
    done(watch, roc_auc_score(disputed[n:], model(X[n:]).numpy()))
