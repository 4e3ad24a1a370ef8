"""The loss is summed over 256 rows, and the rate is as small as that asks for."""

import torch
import torch.nn.functional as F
from kit import SEED, done, dressage
from sklearn.datasets import load_digits
from torch import nn

x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x).float() / 16, torch.tensor(y)
g = torch.Generator().manual_seed(SEED)
order = torch.randperm(len(x), generator=g)
tr, va = order[:1400], order[1400:]


def objective(logits, target):
    return F.cross_entropy(logits, target, reduction="sum")


model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=4e-4, momentum=0.9)
watch = dressage.watch(model, optimizer, objective, train=(x[tr], y[tr]), val=(x[va], y[va]))
for step in range(600):
    rows = tr[torch.randint(0, 1400, (256,))]
    loss = objective(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
with torch.no_grad():
    done(watch, (model(x[va]).argmax(1) == y[va]).float().mean())
