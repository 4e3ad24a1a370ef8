"""CIFAR: random flips and crops, mixup, label smoothing, one-cycle, bfloat16, EMA of the weights for validation."""

import numpy as np
import torch
import torch.nn as nn
from kit import cifar, done, dressage
from torch.utils.data import DataLoader, Dataset

xa, ya, xb, yb = cifar(3000, 800)


class Aug(Dataset):
    def __init__(self, x, y, train):
        self.x, self.y, self.t = x, y, train

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        a = self.x[i]
        if self.t:
            a = np.pad(a, ((4, 4), (4, 4), (0, 0)), "reflect")
            p, q = np.random.randint(0, 9, 2)
            a = a[p : p + 32, q : q + 32]
            if np.random.rand() < 0.5:
                a = a[:, ::-1]
        return (torch.from_numpy(np.ascontiguousarray(a.transpose(2, 0, 1))).float() / 255 - 0.47) / 0.25, self.y[i]


tl, vl = DataLoader(Aug(xa, ya, True), 50, shuffle=True, drop_last=True), DataLoader(Aug(xb, yb, False), 200)
net = nn.Sequential(
    nn.Conv2d(3, 16, 3, 2, 1),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, 2, 1),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.Conv2d(32, 48, 3, 2, 1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Dropout(0.2),
    nn.Linear(768, 10),
)
E = 8
opt = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=0.05)
sch = torch.optim.lr_scheduler.OneCycleLR(opt, 8e-3, total_steps=E * len(tl))
ce = nn.CrossEntropyLoss(label_smoothing=0.1)
ema = torch.optim.swa_utils.AveragedModel(
    net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.98), use_buffers=True
)
watch = dressage.watch(net, opt, ce, train=tl, val=vl)
for ep in range(E):
    net.train()
    for x, y in watch.batches(tl):
        lam = np.random.beta(0.2, 0.2)
        j = torch.randperm(len(x))
        x = lam * x + (1 - lam) * x[j]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            o = net(x)
            loss = lam * ce(o, y) + (1 - lam) * ce(o, y[j])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        sch.step()
        ema.update_parameters(net)
        watch.step(loss)
    ema.eval()
    with torch.no_grad():
        o = torch.cat([ema(x) for x, _ in vl])
    t = torch.tensor(yb)
    acc = (o.argmax(1) == t).float().mean().item()
    watch.validated(loss=ce(o, t).item(), metric=acc)
    print(ep, acc)
done(watch, acc)
