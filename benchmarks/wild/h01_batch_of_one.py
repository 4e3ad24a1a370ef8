"""Batch size one, plain SGD: a loss that jumps about."""

import torch
import torch.nn as nn
from kit import done, dressage
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

X, y = load_breast_cancer(return_X_y=True)
X = torch.tensor(StandardScaler().fit_transform(X), dtype=torch.float32)
y = torch.tensor(y, dtype=torch.float32)
net = nn.Sequential(nn.Linear(30, 24), nn.Tanh(), nn.Linear(24, 1))
crit = nn.BCEWithLogitsLoss()
opt = torch.optim.SGD(net.parameters(), lr=0.02)
watch = dressage.watch(net, opt, crit, train=(X[:420], y[:420, None]), val=(X[420:], y[420:, None]))
for epoch in range(4):
    for i in torch.randperm(420).tolist():
        opt.zero_grad()
        loss = crit(net(X[i : i + 1]), y[i].view(1, 1))
        loss.backward()
        opt.step()
        watch.step(loss)
acc = ((net(X[420:]).squeeze(1) > 0) == y[420:].bool()).float().mean()
done(watch, acc)
