"""Homework 3: tell handwritten digits apart with a two-layer network.

cause: loss.mse_for_classes
"""

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from kit import FIX, SEED, done, dressage

data = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    data.data / 8.0 - 1.0, data.target, test_size=0.25, random_state=SEED
)
X_train = torch.FloatTensor(X_train)
X_test = torch.FloatTensor(X_test)
if FIX:
    y_train, y_test = torch.LongTensor(y_train), torch.LongTensor(y_test)
    n_out, loss_fn = 10, nn.CrossEntropyLoss()
else:
    y_train, y_test = torch.FloatTensor(y_train).view(-1, 1), torch.FloatTensor(y_test).view(-1, 1)
    n_out, loss_fn = 1, nn.MSELoss()


def predict(out):
    return out.argmax(1) if FIX else out.round().clamp(0, 9)


def metric(out, target):
    return (predict(out) == target).float().mean().item()


class TwoLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 64)
        self.fc2 = nn.Linear(64, n_out)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


net = TwoLayer()
optimizer = torch.optim.SGD(net.parameters(), lr=0.005, momentum=0.9)
watch = dressage.watch(net, optimizer, loss_fn, train=(X_train, y_train), val=(X_test, y_test), metric=metric)

for epoch in range(30):
    order = torch.randperm(len(X_train))
    for i in range(0, len(order), 32):
        rows = order[i : i + 32]
        out = net(X_train[rows])
        loss = loss_fn(out, y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    with torch.no_grad():
        out = net(X_test)
        watch.validated(loss=loss_fn(out, y_test).item(), metric=metric(out, y_test))

done(watch, metric(net(X_test).detach(), y_test))
