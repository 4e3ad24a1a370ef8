"""The first layer holds principal components and is not trained; what is above it is."""

import numpy as np
import torch
from kit import done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("mnist", "train", 4000)
xv, yv = idx("mnist", "t10k", 1000)
x, xv = x.reshape(-1, 784) / 255.0, xv.reshape(-1, 784) / 255.0
mean = x.mean(0)
_, s, vt = np.linalg.svd(x - mean, full_matrices=False)
components = vt[:60]

pca = nn.Linear(784, 60)
with torch.no_grad():
    pca.weight.copy_(torch.tensor(components))
    pca.bias.copy_(torch.tensor(-components @ mean))
for p in pca.parameters():
    p.requires_grad = False
model = nn.Sequential(pca, nn.Linear(60, 128), nn.ReLU(), nn.Linear(128, 10))

train_ds = TensorDataset(torch.tensor(x).float(), torch.tensor(y))
val_ds = TensorDataset(torch.tensor(xv).float(), torch.tensor(yv))
loader = DataLoader(train_ds, batch_size=64, shuffle=True)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
watch = dressage.watch(model, optimizer, criterion, train=train_ds, val=val_ds)
for epoch in range(8):
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, (model(val_ds.tensors[0]).argmax(1) == val_ds.tensors[1]).float().mean())
