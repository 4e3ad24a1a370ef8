"""Breast cancer: features were shuffled by a permutation that the labels never saw.

cause: data.shuffled_labels
"""

import numpy as np
import torch
import torch.nn as nn
from kit import FIX, done, dressage
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

data = load_breast_cancer()
X, y = data.data, data.target
p = np.random.default_rng(3).permutation(len(X))
X = X[p]
if FIX:
    y = y[p]
cut = 430
sc = StandardScaler().fit(X[:cut])
X = sc.transform(X)
X_train, X_test = torch.FloatTensor(X[:cut]), torch.FloatTensor(X[cut:])
y_train, y_test = torch.FloatTensor(y[:cut]).unsqueeze(1), torch.FloatTensor(y[cut:]).unsqueeze(1)


class BinaryClassification(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer_1 = nn.Linear(30, 64)
        self.layer_2 = nn.Linear(64, 64)
        self.layer_out = nn.Linear(64, 1)
        self.batchnorm1 = nn.BatchNorm1d(64)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x):
        x = self.batchnorm1(torch.relu(self.layer_1(x)))
        return self.layer_out(self.dropout(torch.relu(self.layer_2(x))))


model = BinaryClassification()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=(X_train, y_train), val=(X_test, y_test))
for e in range(60):
    model.train()
    for b in torch.randperm(cut).split(43):
        optimizer.zero_grad()
        loss = criterion(model(X_train[b]), y_train[b])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        o = model(X_test)
    acc = ((o > 0).float() == y_test).float().mean().item()
    watch.validated(loss=criterion(o, y_test).item(), metric=acc)
done(watch, acc)
