"""Wine cultivars, the first 130 rows for training and the rest for testing, full batch.

cause: data.split_shift
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage
from sklearn.datasets import load_wine

data = load_wine()
X = torch.tensor(data.data, dtype=torch.float32)
y = torch.tensor(data.target)
if FIX:
    order = torch.randperm(len(X))
    X, y = X[order], y[order]

X_train, y_train = X[:130], y[:130]
X_test, y_test = X[130:], y[130:]
mean, std = X_train.mean(0), X_train.std(0)
X_train, X_test = (X_train - mean) / std, (X_test - mean) / std

model = nn.Sequential(nn.Linear(13, 20), nn.ReLU(), nn.Linear(20, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
watch = dressage.watch(model, optimizer, F.cross_entropy, train=(X_train, y_train), val=(X_test, y_test))
for epoch in range(200):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(X_train), y_train)
    loss.backward()
    optimizer.step()
    watch.step(loss)

with torch.no_grad():
    accuracy = (model(X_test).argmax(1) == y_test).float().mean()
done(watch, accuracy)
