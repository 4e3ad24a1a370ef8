"""Sorting line: pick out the rare shirts among T-shirts, pullovers and coats.

cause: data.class_imbalance
"""

import numpy as np
import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from sklearn.metrics import balanced_accuracy_score

OTHERS = (0, 2, 3, 4)
SHIRT = 6


def load(part, n, share):
    x, y = idx("fashion-mnist", part, n)
    others = np.flatnonzero(np.isin(y, OTHERS))
    shirts = np.flatnonzero(y == SHIRT)
    shirts = shirts[: int(len(others) * share)]
    keep = np.concatenate([others, shirts])
    x = torch.tensor((x[keep] / 255.0 - 0.35) / 0.35, dtype=torch.float32).flatten(1)
    return x, torch.tensor(y[keep] == SHIRT).float()


x_train, y_train = load("train", 12000, 0.03)
x_val, y_val = load("t10k", 6000, 0.03)
print(len(y_train), "items,", int(y_train.sum()), "shirts")

model = nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 1), nn.Flatten(0))
pos_weight = (y_train == 0).sum() / y_train.sum() if FIX else None
criterion = nn.BCEWithLogitsLoss(pos_weight=pos_weight)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=1e-3)


def balanced(output, target):
    return balanced_accuracy_score(target.numpy() > 0.5, output.detach().numpy() > 0)


loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x_train, y_train), batch_size=64, shuffle=True)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=(x_val, y_val), metric=balanced)

for epoch in range(10):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(x_val)
        accuracy = ((out > 0).float() == y_val).float().mean().item()
        watch.validated(loss=criterion(out, y_val).item(), metric=balanced(out, y_val))
        print(f"epoch {epoch}: accuracy {accuracy:.3f} balanced {balanced(out, y_val):.3f}")

done(watch, balanced(out, y_val))
