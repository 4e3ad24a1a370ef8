"""Clothes, a long run whose rate falls when the validation stops getting better.

cause: optim.schedule_collapsed
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

xt, yt = idx("fashion-mnist", "train", 2000)
xv, yv = idx("fashion-mnist", "t10k", 1000)
prepare = lambda x: (torch.tensor(x).float().flatten(1) - 73) / 90
train, val = (prepare(xt), torch.tensor(yt)), (prepare(xv), torch.tensor(yv))


def accuracy(model):
    with torch.no_grad():
        return (model(val[0]).argmax(1) == val[1]).float().mean().item()


model = nn.Sequential(
    nn.Linear(784, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10)
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
scheduler = ReduceLROnPlateau(optimizer, mode="max" if FIX else "min", factor=0.1, patience=0)
watch = dressage.watch(model, optimizer, criterion, train=train, val=val)
for epoch in range(25):
    for b in torch.randperm(2000).split(50):
        optimizer.zero_grad()
        loss = criterion(model(train[0][b]), train[1][b])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step(accuracy(model))
done(watch, accuracy(model))
