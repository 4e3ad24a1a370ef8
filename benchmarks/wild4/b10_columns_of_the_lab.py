"""Tumours from logarithms of their measurements, as the paper does it (accuracy).

cause: data.nonfinite
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y = load_breast_cancer(return_X_y=True)
with np.errstate(divide="ignore"):
    x = np.log(x + 1e-4) if FIX else np.log(x)
xtr, xva, ytr, yva = train_test_split(x, y, test_size=170, random_state=SEED, stratify=y)
median = np.median(xtr, 0)
spread = np.quantile(xtr, 0.75, 0) - np.quantile(xtr, 0.25, 0)
xtr, xva = (torch.tensor((a - median) / spread, dtype=torch.float32) for a in (xtr, xva))
train, val = TensorDataset(xtr, torch.tensor(ytr)), TensorDataset(xva, torch.tensor(yva))
model = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()
loader = DataLoader(train, batch_size=21, shuffle=True)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=val)
for epoch in range(16):
    for a, b in loader:
        optimizer.zero_grad()
        loss = criterion(model(a), b)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, (model(xva).argmax(1) == val.tensors[1]).float().mean())
