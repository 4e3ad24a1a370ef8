"""Disease progression a year on, from ten measurements: a noisy regression on a tiny table."""

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from kit import SEED, done, dressage

X, y = load_diabetes(return_X_y=True)
X = X / X.std(0)
Xtr, Xte, ytr, yte = train_test_split(X, y, test_size=0.3, random_state=10 + SEED)
m, s = ytr.mean(), ytr.std()
Xtr, Xte = torch.tensor(Xtr).float(), torch.tensor(Xte).float()
ytr, yte = torch.tensor((ytr - m) / s).float(), torch.tensor((yte - m) / s).float()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(10, 1)
        self.hidden = nn.Sequential(nn.Linear(10, 12), nn.Tanh(), nn.Dropout(0.3), nn.Linear(12, 1))

    def forward(self, x):
        return (self.linear(x) + self.hidden(x)).squeeze(1)


net = Net()
loss_fn = nn.SmoothL1Loss()
opt = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=0.3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=30)


def r2(out, target):
    return 1 - (((out - target) ** 2).mean() / target.var(unbiased=False)).item()


watch = dressage.watch(net, opt, loss_fn, train=(Xtr, ytr), val=(Xte, yte), metric=r2)
for epoch in range(30):
    net.train()
    perm = np.random.permutation(len(Xtr))
    for rows in np.array_split(perm, 15):
        opt.zero_grad()
        loss = loss_fn(net(Xtr[rows]), ytr[rows])
        loss.backward()
        opt.step()
        watch.step(loss)
    sched.step()
    net.eval()
    with torch.no_grad():
        out = net(Xte)
    watch.validated(loss=loss_fn(out, yte).item(), metric=r2(out, yte))

done(watch, r2(out, yte))
