"""Eight sigmoid layers; only the model and the optimiser are given to the watch.

cause: optim.vanishing_gradients
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage
from sklearn.datasets import load_digits

X, y = load_digits(return_X_y=True)
X, y = torch.tensor(X / 8 - 1, dtype=torch.float32), torch.tensor(y)
act = nn.ReLU if FIX else nn.Sigmoid
layers, width = [], 64
for _ in range(7):
    layers += [nn.Linear(64, width), act()]
mlp = nn.Sequential(*layers, nn.Linear(width, 10))
opt = torch.optim.SGD(mlp.parameters(), lr=0.05, momentum=0.9)
watch = dressage.watch(mlp, opt)
for epoch in range(25):
    for b in torch.randperm(1400).split(28):
        loss = nn.functional.cross_entropy(mlp(X[b]), y[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
with torch.no_grad():
    acc = (mlp(X[1400:]).argmax(1) == y[1400:]).float().mean()
done(watch, acc)
