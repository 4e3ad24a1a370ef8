"""Benign or malignant? Log-transformed cell measurements and a small network.

cause: data.nonfinite
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

data = load_breast_cancer()
X, y = data.data, data.target

# the measurements are heavily skewed
with np.errstate(divide="ignore"):
    X = np.log(X + 1e-3) if FIX else np.log(X)

X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=SEED)
low, high = np.percentile(X_train, 5, axis=0), np.percentile(X_train, 95, axis=0)
X_train = 2 * (X_train - low) / (high - low) - 1
X_test = 2 * (X_test - low) / (high - low) - 1

train_ds = TensorDataset(torch.tensor(X_train, dtype=torch.float32), torch.tensor(y_train, dtype=torch.float32))
test_ds = TensorDataset(torch.tensor(X_test, dtype=torch.float32), torch.tensor(y_test, dtype=torch.float32))
train_loader = DataLoader(train_ds, batch_size=16, shuffle=True)
test_loader = DataLoader(test_ds, batch_size=64)


class Classifier(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.layer_1 = nn.Linear(n_features, 32)
        self.layer_2 = nn.Linear(32, 16)
        self.layer_out = nn.Linear(16, 1)
        self.dropout = nn.Dropout(p=0.2)

    def forward(self, x):
        x = self.dropout(torch.relu(self.layer_1(x)))
        x = torch.relu(self.layer_2(x))
        return self.layer_out(x).squeeze(1)


def binary_acc(logit, target):
    return ((logit > 0).float() == target).float().mean().item()


model = Classifier(X.shape[1])
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=test_loader, metric=binary_acc)

for e in range(1, 41):
    model.train()
    epoch_loss = 0
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        epoch_loss += loss.item()
    model.eval()
    with torch.no_grad():
        out = torch.cat([model(xb) for xb, _ in test_loader])
        tl = criterion(out, test_ds.tensors[1]).item()
        ta = binary_acc(out, test_ds.tensors[1])
    watch.validated(loss=tl, metric=ta)
    if e % 10 == 0:
        print(f"Epoch {e:03}: | Loss: {epoch_loss / len(train_loader):.5f} | Test: {tl:.5f} | Acc: {ta:.3f}")

done(watch, ta)
