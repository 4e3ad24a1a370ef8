"""Small all-convolutional classifier for CIFAR pictures.

cause: model.missing_nonlinearity
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, cifar, done, dressage

xtr, ytr, xte, yte = cifar(4000, 1000)
MEAN = torch.tensor([0.491, 0.482, 0.447]).view(1, 3, 1, 1)
STD = torch.tensor([0.247, 0.243, 0.262]).view(1, 3, 1, 1)


def prepare(a):
    return (torch.from_numpy(a).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


Xtr, Xte = prepare(xtr), prepare(xte)
Ytr, Yte = torch.from_numpy(ytr), torch.from_numpy(yte)


class ConvBlock(nn.Module):
    def __init__(self, cin, cout, stride=2):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, stride=stride, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(cout)

    def forward(self, x):
        x = self.bn(self.conv(x))
        return F.relu(x) if FIX else x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.b1 = ConvBlock(3, 24)
        self.b2 = ConvBlock(24, 48)
        self.b3 = ConvBlock(48, 64)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = self.b3(self.b2(self.b1(x)))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
EPOCHS, BS = 10, 64
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
watch = dressage.watch(model, optimizer)

for epoch in range(EPOCHS):
    model.train()
    order = torch.randperm(len(Xtr))
    for i in range(0, len(order), BS):
        j = order[i : i + BS]
        xb = Xtr[j]
        if torch.rand(()) < 0.5:
            xb = xb.flip(3)
        loss = F.cross_entropy(model(xb), Ytr[j])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    model.eval()
    with torch.no_grad():
        logits = model(Xte)
        acc = (logits.argmax(1) == Yte).float().mean().item()
        watch.validated(loss=F.cross_entropy(logits, Yte).item(), metric=acc)
    print(epoch, round(acc, 3))

done(watch, acc)
