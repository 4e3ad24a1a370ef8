"""How large the worst cells of a tumour are, from the mean measurements: a small regression net.

cause: data.target_unscaled
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

bunch = load_breast_cancer()
X, y = bunch.data[:, :20], bunch.data[:, 23]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=1)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
if FIX:
    mean, std = y_train.mean(), y_train.std()
    y_train, y_test = (y_train - mean) / std, (y_test - mean) / std


def tensors(a, b):
    return torch.tensor(a, dtype=torch.float32), torch.tensor(b, dtype=torch.float32).reshape(-1, 1)


train_ds = TensorDataset(*tensors(X_train, y_train))
x_val, y_val = tensors(X_test, y_test)
train_loader = DataLoader(train_ds, batch_size=32, shuffle=True)

model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=(x_val, y_val))

for epoch in range(20):
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)

with torch.no_grad():
    pred = model(x_val)
r2 = 1 - ((pred - y_val) ** 2).sum() / ((y_val - y_val.mean()) ** 2).sum()
done(watch, r2)
