"""The lower half of a shoe or shirt from its upper half; the loss is minus the cosine of both."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset


def halves(part, n):
    x = torch.tensor(idx("fashion-mnist", part, n)[0]).float() / 255
    return x[:, :14].flatten(1), x[:, 14:].flatten(1)


def loss_fn(pred, target):
    return -F.cosine_similarity(pred, target, dim=1).mean()


train_set, val_set = TensorDataset(*halves("train", 3000)), TensorDataset(*halves("t10k", 500))
train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
val_loader = DataLoader(val_set, batch_size=250)
model = nn.Sequential(nn.Linear(392, 96), nn.ReLU(), nn.Linear(96, 392))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, loss_fn, train=train_loader, val=val_loader)
for epoch in range(6):
    model.train()
    for top, bottom in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(top), bottom)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        val_loss = sum(loss_fn(model(t), b).item() for t, b in val_loader) / len(val_loader)
    watch.validated(loss=val_loss, metric=-val_loss)
done(watch, -val_loss)
