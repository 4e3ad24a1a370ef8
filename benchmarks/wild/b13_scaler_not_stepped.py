"""Mixed precision: the loss is scaled by GradScaler, but optimizer.step() is called and not scaler.step(optimizer).

cause: optim.lr_too_high optim.exploding_gradients
"""

import torch
import torch.nn as nn
from kit import FIX, cifar, done, dressage
from torch.utils.data import DataLoader, TensorDataset

xa, ya, xb, yb = cifar(3000, 800)
prep = lambda a: (torch.from_numpy(a).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
train = DataLoader(TensorDataset(prep(xa), torch.from_numpy(ya)), 50, shuffle=True)
val = DataLoader(TensorDataset(prep(xb), torch.from_numpy(yb)), 100)
model = nn.Sequential(
    nn.Conv2d(3, 16, 3, 2, 1),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, 2, 1),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(4),
    nn.Flatten(),
    nn.Linear(512, 10),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)
loss_fn = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer, loss_fn, train=train, val=val)
for epoch in range(4):
    model.train()
    for x, y in train:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss_fn(model(x), y)
        scaler.scale(loss).backward()
        if FIX:
            scaler.step(optimizer)
            scaler.update()
        else:
            optimizer.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    acc = torch.cat([(model(x).argmax(1) == y).float() for x, y in val]).mean()
done(watch, acc)
