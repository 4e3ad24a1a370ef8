"""How much ink lies right of the middle, and how high: standardised amounts from pictures, all layers made in a loop (R2).

cause: model.wrong_output_activation
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, _ = idx("mnist", "train", 4000)
x = torch.tensor(x / 255, dtype=torch.float32)
place = torch.arange(28.0)
ink = x.sum((1, 2))
right = (x.sum(1) * place).sum(1) / ink
tilt = ((x * (place - 13.5) * (place[:, None] - 13.5)).sum((1, 2))) / ink
y = torch.stack([right, tilt, ink], 1)
y = (y - y[:3200].mean(0)) / y[:3200].std(0)
x = (x - 0.13).flatten(1) / 0.31
train, val = TensorDataset(x[:3200], y[:3200]), TensorDataset(x[3200:], y[3200:])


def make_mlp(sizes):
    layers = []
    for i in range(len(sizes) - 1):
        layers.append(nn.Linear(sizes[i], sizes[i + 1]))
        if not FIX or i < len(sizes) - 2:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


model = make_mlp([784, 128, 64, 3])
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.MSELoss()
loader = DataLoader(train, batch_size=64, shuffle=True)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=val)
for epoch in range(8):
    for a, b in loader:
        optimizer.zero_grad()
        loss = criterion(model(a), b)
        loss.backward()
        optimizer.step()
        watch.step(loss)
a, b = val[:]
with torch.no_grad():
    done(watch, 1 - ((model(a) - b) ** 2).mean() / b.var())
