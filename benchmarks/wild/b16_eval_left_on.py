"""Model.train() once before the loop, model.eval() in the validation: from the second epoch on batch norm is frozen.

cause: eval.eval_mode_in_training
"""

import torch
import torch.nn as nn
from kit import FIX, cifar, done, dressage
from torch.utils.data import DataLoader, TensorDataset

xa, ya, xb, yb = cifar(3000, 800)
t = lambda a: torch.from_numpy(a).permute(0, 3, 1, 2).float() / 255
train_dl = DataLoader(TensorDataset(t(xa), torch.from_numpy(ya)), 32, shuffle=True)
val_dl = DataLoader(TensorDataset(t(xb), torch.from_numpy(yb)), 100)


class Block(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.c = nn.Conv2d(i, o, 3, s, 1, bias=False)
        self.b = nn.BatchNorm2d(o)

    def forward(self, x):
        return torch.relu(self.b(self.c(x)))


model = nn.Sequential(
    Block(3, 16, 2),
    Block(16, 32, 2),
    Block(32, 32, 1),
    Block(32, 64, 2),
    Block(64, 64, 1),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(64, 10),
)
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
crit = nn.CrossEntropyLoss()
watch = dressage.watch(model, opt, crit, train=train_dl, val=val_dl)


def validate():
    model.eval()
    watch.validating()
    with torch.no_grad():
        l, a = zip(*[(crit(model(x), y).item(), (model(x).argmax(1) == y).float().mean().item()) for x, y in val_dl])
    watch.validated(loss=sum(l) / len(l), metric=sum(a) / len(a))
    return sum(a) / len(a)


model.train()
validate()
for epoch in range(6):
    if FIX:
        model.train()
    for x, y in train_dl:
        opt.zero_grad()
        loss = crit(model(x), y)
        loss.backward()
        opt.step()
        watch.step(loss)
    acc = validate()
    print(epoch, loss.item(), acc)
done(watch, acc)
