"""Digits with a small convolutional net and a multi-class hinge loss, SGD with Nesterov momentum."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from kit import SEED, done, dressage

d = load_digits()
xtr, xte, ytr, yte = train_test_split(d.images, d.target, test_size=0.3, stratify=d.target, random_state=SEED)
m, s = xtr.mean(), xtr.std()
xtr, xte = (torch.tensor((a - m) / s, dtype=torch.float32)[:, None] for a in (xtr, xte))
ytr, yte = torch.tensor(ytr), torch.tensor(yte)

net = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.LeakyReLU(0.1),
    nn.Conv2d(16, 32, 3, stride=2, padding=1),
    nn.LeakyReLU(0.1),
    nn.Flatten(),
    nn.Dropout(0.3),
    nn.Linear(512, 10),
)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
EPOCHS = 25
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
hinge = nn.MultiMarginLoss()
watch = dressage.watch(net, optimizer)
for epoch in range(EPOCHS):
    net.train()
    for b in torch.randperm(len(xtr)).split(32):
        optimizer.zero_grad()
        loss = hinge(net(xtr[b]), ytr[b])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    schedule.step()
    net.eval()
    with torch.no_grad():
        out = net(xte)
    watch.validated(loss=hinge(out, yte).item(), metric=(out.argmax(1) == yte).float().mean().item())
done(watch, (out.argmax(1) == yte).float().mean().item())
