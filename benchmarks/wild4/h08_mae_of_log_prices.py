"""Skewed amounts, learned as logarithms with L1Loss (score on the original scale: 1 - MAE / MAE of the median)."""

import numpy as np
import torch
from kit import SEED, done, dressage
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

data = load_wine().data
amount = data[:, 12]
xtr, xva, ytr, yva = train_test_split(data[:, :12], amount, test_size=48, random_state=SEED)
scaler = StandardScaler().fit(xtr)
middle = np.log(ytr).mean()
xtr, xva = (torch.tensor(scaler.transform(a), dtype=torch.float32) for a in (xtr, xva))
ttr, tva = (torch.tensor(np.log(a) - middle, dtype=torch.float32).unsqueeze(1) for a in (ytr, yva))

model = nn.Sequential(nn.Linear(12, 32), nn.ELU(), nn.Dropout(0.2), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 60)
criterion = nn.L1Loss()
loader = DataLoader(TensorDataset(xtr, ttr), batch_size=26, shuffle=True)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=(xva, tva))
for epoch in range(60):
    model.train()
    for a, b in loader:
        optimizer.zero_grad()
        loss = criterion(model(a), b)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    model.eval()
    with torch.no_grad():
        watch.validated(loss=criterion(model(xva), tva))
with torch.no_grad():
    guess = np.exp(model(xva).squeeze(1).numpy() + middle)
done(watch, 1 - np.abs(guess - yva).mean() / np.abs(np.median(ytr) - yva).mean())
