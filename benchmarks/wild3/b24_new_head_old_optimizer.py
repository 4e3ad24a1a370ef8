"""A net that knows five digits learns the other five: the body stays, the head is new.

cause: optim.frozen_params
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn


def digits(part, n, low):
    x, y = idx("mnist", part, n)
    keep = (y < 5) == low
    return torch.tensor(x[keep]).float()[:, None] / 255, torch.tensor(y[keep]) % 5


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(), nn.Flatten()
        )
        self.head = nn.Linear(400, 5)

    def forward(self, x):
        return self.head(self.body(x))


def fit(model, optimizer, data, epochs, watch=None):
    for _ in range(epochs):
        for b in torch.randperm(len(data[0])).split(32):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(data[0][b]), data[1][b])
            loss.backward()
            optimizer.step()
            if watch is not None:
                watch.step(loss)


model = Net()
fit(model, torch.optim.Adam(model.parameters(), lr=2e-3), digits("train", 4000, True), 2)

for p in model.body.parameters():
    p.requires_grad = False
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
model.head = nn.Linear(400, 5)
if FIX:
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
train, val = digits("train", 4000, False), digits("t10k", 1500, False)
watch = dressage.watch(model, optimizer, nn.CrossEntropyLoss(), train=train, val=val)
fit(model, optimizer, train, 5, watch)
with torch.no_grad():
    done(watch, (model(val[0]).argmax(1) == val[1]).float().mean())
