"""Regression exercise: learn the Friedman function from 2000 noisy rows, compare with the noise ceiling."""

import numpy as np
import torch
from sklearn.datasets import make_friedman1
from sklearn.preprocessing import StandardScaler
from torch import nn

from kit import done, dressage

X, y = make_friedman1(n_samples=3000, n_features=10, noise=1.0, random_state=7)
X_train, X_val, y_train, y_val = X[:2000], X[2000:], y[:2000], y[2000:]
x_scaler = StandardScaler().fit(X_train)
y_scaler = StandardScaler().fit(y_train[:, None])
f = lambda a: torch.tensor(a, dtype=torch.float32)
X_train, X_val = f(x_scaler.transform(X_train)), f(x_scaler.transform(X_val))
Y_train, Y_val = f(y_scaler.transform(y_train[:, None])), f(y_scaler.transform(y_val[:, None]))


class MLP(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])])

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))
        return self.layers[-1](x)


def r2(pred, target):
    return 1 - ((pred - target) ** 2).mean().item() / target.var().item()


model = MLP([10, 40, 20, 1])
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.93)
criterion = nn.MSELoss()
watch = dressage.watch(model, optimizer, criterion, train=(X_train, Y_train), val=(X_val, Y_val), metric=r2)

for epoch in range(40):
    for batch in torch.randperm(2000).split(50):
        optimizer.zero_grad()
        loss = criterion(model(X_train[batch]), Y_train[batch])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    with torch.no_grad():
        out = model(X_val)
    watch.validated(loss=criterion(out, Y_val).item(), metric=r2(out, Y_val))
    if epoch % 10 == 9:
        print(epoch + 1, "train", round(loss.item(), 4), "val R2", round(r2(out, Y_val), 4))

print("ceiling", round(1 - 1.0 / np.var(y_val), 4))
done(watch, r2(out, Y_val))
