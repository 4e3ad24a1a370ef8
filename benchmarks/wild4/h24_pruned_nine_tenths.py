"""Trained, pruned to a tenth of its weights, trained on: the second training is watched (chance .1)."""

import torch
import torch.nn.functional as F
import torch.nn.utils.prune as prune
from kit import done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("mnist", "train", 3000)
xt, yt = idx("mnist", "t10k", 1000)
x, xt = (torch.tensor((a.reshape(-1, 784) / 255 - 0.13) / 0.31, dtype=torch.float32) for a in (x, xt))
train, val = TensorDataset(x, torch.tensor(y)), TensorDataset(xt, torch.tensor(yt))
model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))


def rounds(n, rate, watch=None):
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, nesterov=True)
    watch = dressage.watch(model, optimizer, F.cross_entropy, train=train, val=val) if watch else None
    for epoch in range(n):
        for a, b in DataLoader(train, batch_size=50, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(a), b)
            loss.backward()
            optimizer.step()
            if watch:
                watch.step(loss)
    return watch


rounds(3, 0.03)
for layer in (model[0], model[2]):
    prune.l1_unstructured(layer, "weight", amount=0.9)
watch = rounds(5, 0.03, True)
with torch.no_grad():
    done(watch, (model(xt).argmax(1) == val.tensors[1]).float().mean())
