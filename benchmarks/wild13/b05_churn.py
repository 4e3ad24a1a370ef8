"""Find customers of a phone company who are about to leave, from the customer table.

cause: data.leakage
"""

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(100 + SEED)
COLUMNS = [
    "tenure",
    "monthly",
    "calls",
    "minutes",
    "data_gb",
    "complaints",
    "age",
    "late_bills",
    "discount",
    "retention_offers",
]


def table(n, history):
    tenure = rng.gamma(2, 15, n)
    monthly = rng.normal(40, 12, n)
    calls = rng.poisson(3, n)
    minutes = rng.gamma(3, 60, n)
    data_gb = rng.gamma(2, 5, n)
    complaints = rng.poisson(0.7, n)
    age = rng.integers(18, 80, n)
    late = rng.poisson(0.5, n)
    discount = rng.integers(0, 2, n)
    z = (
        0.9 * complaints
        - 0.045 * tenure
        + 0.05 * (monthly - 40) * (1 - discount)
        + 0.5 * late
        - 0.002 * (minutes - 180)
        + 0.3
    )
    left = (rng.random(n) < 1 / (1 + np.exp(-1.8 * z))).astype(np.int64)
    offers = left * rng.integers(1, 4, n) * (rng.random(n) < 0.97) if history else np.zeros(n)
    return np.stack([tenure, monthly, calls, minutes, data_gb, complaints, age, late, discount, offers], 1), left


x, y = table(3000, history=True)
x_live, y_live = table(1500, history=False)
use = [i for i, c in enumerate(COLUMNS) if not (FIX and c == "retention_offers")]
x, x_live = x[:, use], x_live[:, use]
n = 2400
mu, sd = x[:n].mean(0), x[:n].std(0)
as_x = lambda a: torch.tensor((a - mu) / sd, dtype=torch.float32)
train = DataLoader(TensorDataset(as_x(x[:n]), torch.tensor(y[:n])), batch_size=64, shuffle=True)
val = DataLoader(TensorDataset(as_x(x[n:]), torch.tensor(y[n:])), batch_size=256)

model = nn.Sequential(
    nn.Linear(len(use), 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 2)
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4)


def accuracy(output, target):
    return (output.argmax(1) == target).float().mean().item()


watch = dressage.watch(model, optimizer, criterion, train=train, val=val, metric=accuracy)
for epoch in range(15):
    model.train()
    for bx, by in train:
        optimizer.zero_grad()
        loss = criterion(model(bx), by)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = torch.cat([model(bx) for bx, _ in val])
    target = val.dataset.tensors[1]
    watch.validated(loss=criterion(out, target).item(), metric=accuracy(out, target))

with torch.no_grad():
    pred = model(as_x(x_live)).argmax(1).numpy()
done(watch, balanced_accuracy_score(y_live, pred))
