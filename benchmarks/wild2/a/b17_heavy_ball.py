"""Fashion-MNIST with SGD and much momentum, an MLP.

cause: optim.momentum_too_high
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, idx

x, y = idx("fashion-mnist", "train", 3200)
xt, yt = idx("fashion-mnist", "t10k", 1000)
x, xt = torch.tensor(x).float() / 255, torch.tensor(xt).float() / 255
y, yt = torch.tensor(y), torch.tensor(yt)

model = nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 50), nn.ReLU(), nn.Linear(50, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9 if FIX else 0.997)
watch = dressage.watch(model, optimizer, F.cross_entropy, train=(x, y), val=(xt, yt))
for epoch in range(8):
    for rows in torch.randperm(len(x)).split(64):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    print(epoch, loss.item())
with torch.no_grad():
    done(watch, (model(xt).argmax(1) == yt).float().mean())
