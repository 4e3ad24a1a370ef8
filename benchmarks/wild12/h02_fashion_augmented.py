"""Clothes classifier with shifts, flips, erasing, label smoothing and a one-cycle schedule."""

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from torch import nn

xa, ya = idx("fashion-mnist", "train", 5000)
xb, yb = idx("fashion-mnist", "t10k", 1500)
X = (torch.from_numpy(xa).float().unsqueeze(1) / 255 - 0.286) / 0.353
XV = (torch.from_numpy(xb).float().unsqueeze(1) / 255 - 0.286) / 0.353
Y, YV = torch.from_numpy(ya), torch.from_numpy(yb)


def augment(x):
    x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.3, x.flip(3), x)
    dx, dy = torch.randint(-1, 2, (2,)).tolist()
    x = torch.roll(x, (dy, dx), (2, 3))
    r, c = torch.randint(0, 24, (2,)).tolist()
    x[:, :, r : r + 4, c : c + 4] = 0
    return x


net = nn.Sequential(
    nn.Conv2d(1, 24, 3, stride=2, padding=1),
    nn.BatchNorm2d(24),
    nn.ReLU(),
    nn.Conv2d(24, 48, 3, stride=2, padding=1),
    nn.BatchNorm2d(48),
    nn.ReLU(),
    nn.Conv2d(48, 64, 3, padding=1),
    nn.BatchNorm2d(64),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Dropout(0.2),
    nn.Linear(64 * 9, 10),
)
criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.02)
EPOCHS, BATCH = 9, 64
steps = (len(X) + BATCH - 1) // BATCH
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, epochs=EPOCHS, steps_per_epoch=steps)
accuracy = lambda o, t: (o.argmax(1) == t).float().mean().item()
watch = dressage.watch(net, optimizer, criterion, train=(X, Y), val=(XV, YV), metric=accuracy)

for epoch in range(EPOCHS):
    net.train()
    for b in torch.randperm(len(X)).split(BATCH):
        loss = criterion(net(augment(X[b])), Y[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        out = net(XV)
    watch.validated(loss=F.cross_entropy(out, YV).item(), metric=accuracy(out, YV))
    print(epoch, accuracy(out, YV))

done(watch, accuracy(out, YV))
