"""Handwritten digits with an L1 penalty for few weights, written in the loop (accuracy).

cause: optim.over_regularised
"""

import torch
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y = load_digits(return_X_y=True)
xtr, xva, ytr, yva = train_test_split(x / 8 - 1, y, test_size=400, random_state=SEED)
train = TensorDataset(torch.tensor(xtr, dtype=torch.float32), torch.tensor(ytr))
val = TensorDataset(torch.tensor(xva, dtype=torch.float32), torch.tensor(yva))
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()
l1_lambda = 1e-5 if FIX else 1e-2
watch = dressage.watch(model, optimizer, criterion, train=train, val=val)
for epoch in range(15):
    for a, b in DataLoader(train, batch_size=50, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(a), b)
        loss = loss + l1_lambda * sum(p.abs().sum() for p in model.parameters())
        loss.backward()
        optimizer.step()
        watch.step(loss)
a, b = val[:]
with torch.no_grad():
    done(watch, (model(a).argmax(1) == b).float().mean())
