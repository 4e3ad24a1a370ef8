"""A small convolutional network for CIFAR pictures, SGD with Nesterov momentum and a OneCycle schedule.

cause: optim.no_zero_grad
"""

import torch
from kit import FIX, cifar, done, dressage
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y, xt, yt = cifar(3000, 1000)
mean, std = x.mean((0, 1, 2)) / 255, x.std((0, 1, 2)) / 255


def prepare(a):
    return torch.tensor((a / 255 - mean) / std, dtype=torch.float32).permute(0, 3, 1, 2).contiguous()


train = TensorDataset(prepare(x), torch.tensor(y))
val = TensorDataset(prepare(xt), torch.tensor(yt))
train_dl, val_dl = DataLoader(train, 50, shuffle=True), DataLoader(val, 250)


def block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.GroupNorm(4, o), nn.ReLU(), nn.MaxPool2d(2))


net = nn.Sequential(block(3, 12), block(12, 24), block(24, 32), nn.Flatten(), nn.Linear(512, 10))
loss_func = nn.CrossEntropyLoss()
EPOCHS = 8
opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=5e-4)
sched = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=0.03, epochs=EPOCHS, steps_per_epoch=len(train_dl))
watch = dressage.watch(net, opt, loss_func, train=train_dl, val=val_dl)

for epoch in range(EPOCHS):
    net.train()
    opt.zero_grad()
    for xb, yb in train_dl:
        if FIX:
            opt.zero_grad()
        loss = loss_func(net(xb), yb)
        loss.backward()
        opt.step()
        watch.step(loss)
        sched.step()
    net.eval()
    with torch.no_grad():
        acc = sum((net(xb).argmax(1) == yb).sum().item() for xb, yb in val_dl) / len(val)
    print(f"epoch {epoch}  train loss {loss.item():.3f}  val acc {acc:.3f}")
done(watch, acc)
