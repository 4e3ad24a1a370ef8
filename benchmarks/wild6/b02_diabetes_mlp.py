"""Progress of diabetes a year later from ten columns, a small network and Adam.

cause: data.target_unscaled
"""

import numpy as np
import torch
import torch.nn as nn
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

X, y = load_diabetes(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.25, random_state=SEED)
scaler = StandardScaler().fit(X_train)
X_train = torch.tensor(scaler.transform(X_train), dtype=torch.float32)
X_val = torch.tensor(scaler.transform(X_val), dtype=torch.float32)
mean, std = (y_train.mean(), y_train.std()) if FIX else (0.0, 1.0)
y_train = torch.tensor((y_train - mean) / std, dtype=torch.float32).view(-1, 1)
y_val = torch.tensor((y_val - mean) / std, dtype=torch.float32).view(-1, 1)

train_dl = DataLoader(TensorDataset(X_train, y_train), batch_size=16, shuffle=True)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
loss_fn = nn.MSELoss()
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, opt, loss_fn, train=train_dl, val=(X_val, y_val))
for epoch in range(12):
    model.train()
    for xb, yb in train_dl:
        pred = model(xb)
        loss = loss_fn(pred, yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        pred = model(X_val)
        val_loss = loss_fn(pred, y_val).item()
    r2 = r2_score(y_val.numpy(), pred.numpy())
    watch.validated(loss=val_loss, metric=r2)
with torch.no_grad():
    pred = model(X_val).numpy() * std + mean
done(watch, r2_score(np.asarray(y_val) * std + mean, pred))
