"""Recognise handwritten digits with a deep, thin fully connected network.

cause: optim.vanishing_gradients
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx

xa, ya = idx("mnist", "train", 5000)
xb, yb = idx("mnist", "t10k", 1000)
flat = lambda a: (torch.from_numpy(a).float().flatten(1) / 255 - 0.13) / 0.31
train_dl = DataLoader(TensorDataset(flat(xa), torch.from_numpy(ya)), batch_size=50, shuffle=True)
x_test, y_test = flat(xb), torch.from_numpy(yb)

activation = nn.ReLU if FIX else nn.Sigmoid
layers, width = [], 784
for _ in range(6):
    layers += [nn.Linear(width, 80), activation()]
    width = 80
mlp = nn.Sequential(*layers, nn.Linear(width, 10))

loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(mlp.parameters(), lr=0.02, momentum=0.9)
watch = dressage.watch(mlp, optimizer, loss_function)

for epoch in range(12):
    for x, y in train_dl:
        optimizer.zero_grad()
        loss = loss_function(mlp(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    with torch.no_grad():
        acc = (mlp(x_test).argmax(1) == y_test).float().mean().item()
    watch.validated(metric=acc)

done(watch, acc)
