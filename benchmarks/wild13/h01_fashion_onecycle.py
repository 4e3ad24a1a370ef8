"""Clothing pictures with a residual net, one-cycle schedule, label smoothing and random flips and shifts."""

import torch
import torch.nn.functional as F
from torch import nn

from kit import done, dressage, idx

xa, ya = idx("fashion-mnist", "train", 6000)
xb, yb = idx("fashion-mnist", "t10k", 1500)
norm = lambda a: (torch.from_numpy(a).float().unsqueeze(1) / 255 - 0.286) / 0.353
xa, xb, ya, yb = norm(xa), norm(xb), torch.from_numpy(ya), torch.from_numpy(yb)


class Res(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)

    def forward(self, x):
        return x + F.relu(self.bn(self.conv(x)))


def down(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU())


net = nn.Sequential(down(1, 16), down(16, 32), Res(32), nn.Flatten(), nn.Linear(32 * 49, 10))


def augment(x):
    dx, dy = torch.randint(-1, 2, (2,)).tolist()
    x = torch.roll(x, (dx, dy), (2, 3))
    flip = torch.rand(len(x)) < 0.5
    x = x.clone()
    x[flip] = x[flip].flip(3)
    return x


EPOCHS, BATCH = 12, 64
steps = -(-len(xa) // BATCH)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=EPOCHS * steps)
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
watch = dressage.watch(net, optimizer, criterion, val=(xb, yb))
for epoch in range(EPOCHS):
    net.train()
    for rows in torch.randperm(len(xa)).split(BATCH):
        loss = criterion(net(augment(xa[rows])), ya[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        out = net(xb)
    acc = (out.argmax(1) == yb).float().mean().item()
    watch.validated(loss=criterion(out, yb).item(), metric=acc)
done(watch, acc)
