"""The perimeter of a cell from radius, smoothness and the rest: two linear layers, MSE."""

import torch
import torch.nn as nn
from kit import done, dressage
from sklearn.datasets import load_breast_cancer

table = load_breast_cancer()
data = torch.tensor(table.data[:, :10], dtype=torch.float32)
data = data[torch.randperm(len(data))]
data = (data - data[:400].mean(0)) / data[:400].std(0)
columns = [0, 1, 4, 5, 6, 7, 8, 9]
X, y = data[:, columns], data[:, 2:3]
X_train, y_train, X_val, y_val = X[:400], y[:400], X[400:], y[400:]

model = nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 1))
loss_fn = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
watch = dressage.watch(model, optimizer, loss_fn, train=(X_train, y_train), val=(X_val, y_val))
for epoch in range(30):
    for i in range(0, 400, 20):
        xb, yb = X_train[i : i + 20], y_train[i : i + 20]
        optimizer.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    r2 = 1 - loss_fn(model(X_val), y_val) / y_val.var()
done(watch, r2)
