"""Digits, each pixel minus its mean and by its standard deviation.

cause: data.nonfinite
"""

import torch
from kit import FIX, done, dressage
from sklearn.datasets import load_digits
from torch import nn

digits = load_digits()
data = torch.tensor(digits.data, dtype=torch.float32)
target = torch.tensor(digits.target)
idx = torch.randperm(len(data))
tr, te = idx[:1400], idx[1400:]
mu, sigma = data[tr].mean(0), data[tr].std(0)
data = (data - mu) / (torch.where(sigma == 0, 1.0, sigma) if FIX else sigma)


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(64, 50)
        self.b = nn.Linear(50, 10)

    def forward(self, x):
        return self.b(torch.sigmoid(self.a(x)))


model = MLP()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
watch = dressage.watch(model, optimizer, criterion, train=(data[tr], target[tr]), val=(data[te], target[te]))
for epoch in range(12):
    for k in range(0, 1400, 35):
        x, y = data[tr[k : k + 35]], target[tr[k : k + 35]]
        y_hat = model(x)
        loss = criterion(y_hat, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, (model(data[te]).argmax(1) == target[te]).float().mean())
