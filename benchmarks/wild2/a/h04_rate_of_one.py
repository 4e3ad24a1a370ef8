"""The 8 by 8 digits, plain SGD with a rate of one and batch normalisation."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
train_ds = TensorDataset(torch.tensor(X_train / 16, dtype=torch.float32), torch.tensor(y_train))
test_ds = TensorDataset(torch.tensor(X_test / 16, dtype=torch.float32), torch.tensor(y_test))
train_dl = DataLoader(train_ds, batch_size=64, shuffle=True, drop_last=True)
test_dl = DataLoader(test_ds, batch_size=256)

model = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
watch = dressage.watch(model, optimizer, F.cross_entropy, train=train_dl, val=test_dl)
for epoch in range(15):
    model.train()
    for xb, yb in train_dl:
        loss = F.cross_entropy(model(xb), yb)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        watch.step(loss)
model.eval()
with torch.no_grad():
    done(watch, sum((model(xb).argmax(1) == yb).sum().item() for xb, yb in test_dl) / len(test_ds))
