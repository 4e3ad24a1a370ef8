"""SGD with warm restarts, stepped by fraction of an epoch."""

import torch
import torch.nn as nn
from kit import done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset


def part(p, n):
    x, y = idx("fashion-mnist", p, n)
    return TensorDataset((torch.tensor(x).float().unsqueeze(1) / 255 - 0.286) / 0.353, torch.tensor(y))


tl, vl = DataLoader(part("train", 3000), 50, True, drop_last=True), DataLoader(part("t10k", 800), 200)
net = nn.Sequential(
    nn.Conv2d(1, 12, 5, 2), nn.ReLU(), nn.Conv2d(12, 24, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(24 * 25, 10)
)
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
sch = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, 2, 2, eta_min=1e-5)
ce = nn.CrossEntropyLoss()
watch = dressage.watch(net, opt, ce, train=tl, val=vl)
for ep in range(6):
    net.train()
    for i, (x, y) in enumerate(tl):
        opt.zero_grad()
        loss = ce(net(x), y)
        loss.backward()
        opt.step()
        sch.step(ep + i / len(tl))
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        o = [(net(x), y) for x, y in vl]
    acc = torch.cat([a.argmax(1) == b for a, b in o]).float().mean().item()
    watch.validated(loss=sum(ce(a, b).item() for a, b in o) / len(o), metric=acc)
    print(ep, acc)
done(watch, acc)
