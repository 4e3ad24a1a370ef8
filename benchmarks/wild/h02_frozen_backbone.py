"""A backbone learned on garments is frozen (eval, no_grad), a head learns digits."""

import torch
import torch.nn as nn
from kit import done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset


def part(name, p, n):
    x, y = idx(name, p, n)
    return (torch.tensor(x).float().unsqueeze(1) / 255 - 0.2) / 0.35, torch.tensor(y)


backbone = nn.Sequential(
    nn.Conv2d(1, 16, 3, 2),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, 2),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(32 * 36, 64),
    nn.ReLU(),
)
pre = nn.Sequential(backbone, nn.Linear(64, 10))
o = torch.optim.Adam(pre.parameters(), 1e-3)
x, y = part("fashion-mnist", "train", 3000)
for _ in range(2):
    for b in torch.randperm(3000).split(50):
        o.zero_grad()
        nn.functional.cross_entropy(pre(x[b]), y[b]).backward()
        o.step()
for p in backbone.parameters():
    p.requires_grad = False


class Transfer(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(64, 10)

    def train(self, mode=True):
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x):
        with torch.no_grad():
            f = self.backbone(x)
        return self.head(f)


model = Transfer()
opt = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=5e-3)
ce = nn.CrossEntropyLoss()
tl, vl = (
    DataLoader(TensorDataset(*part("mnist", "train", 2000)), 32, True),
    DataLoader(TensorDataset(*part("mnist", "t10k", 600)), 100),
)
watch = dressage.watch(model, opt, ce, train=tl, val=vl)
for ep in range(5):
    model.train()
    for a, b in tl:
        opt.zero_grad()
        loss = ce(model(a), b)
        loss.backward()
        opt.step()
        watch.step(loss)
    model.eval()
    watch.validating()
    with torch.no_grad():
        outs = [(ce(model(a), b).item(), (model(a).argmax(1) == b).float().mean().item()) for a, b in vl]
    l, acc = [sum(c) / len(outs) for c in zip(*outs)]
    watch.validated(loss=l, metric=acc)
done(watch, acc)
