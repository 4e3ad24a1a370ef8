"""Tell malignant from benign tumours with a small network on the breast cancer table.

cause: data.unscaled_inputs
"""

import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.35, random_state=SEED, stratify=y)
if FIX:
    scaler = StandardScaler().fit(X_train)
    X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)

to = lambda a: torch.tensor(a, dtype=torch.float32)
train_loader = DataLoader(TensorDataset(to(X_train), to(y_train)[:, None]), batch_size=32, shuffle=True)
test_loader = DataLoader(TensorDataset(to(X_test), to(y_test)[:, None]), batch_size=64)

model = nn.Sequential(nn.Linear(30, 32), nn.Tanh(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 1))
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def accuracy(output, target):
    return ((output > 0).float() == target).float().mean().item()


watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=test_loader, metric=accuracy)

for epoch in range(25):
    model.train()
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)

    model.eval()
    with torch.no_grad():
        out = torch.cat([model(xb) for xb, _ in test_loader])
        tgt = torch.cat([yb for _, yb in test_loader])
    val_loss, acc = criterion(out, tgt).item(), accuracy(out, tgt)
    watch.validated(loss=val_loss, metric=acc)

done(watch, acc)
