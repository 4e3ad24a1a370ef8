"""Find the rare item: about 3 % of the pictures are ankle boots among sneakers and the rest; weighted positive class."""

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import nn

from kit import SEED, done, dressage, idx

rng = np.random.default_rng(SEED)


def rare(part, n):
    x, y = idx("fashion-mnist", part, n)
    y = y == 9
    keep = ~y | (rng.random(len(y)) < 0.28)
    return torch.tensor(x[keep] / 255.0, dtype=torch.float32)[:, None], torch.tensor(y[keep], dtype=torch.float32)[
        :, None
    ]


X, Y = rare("train", 8000)
Xv, Yv = rare("t10k", 4000)
print(f"positives: {Y.mean():.3f} train, {Yv.mean():.3f} val")

net = nn.Sequential(
    nn.Conv2d(1, 12, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Conv2d(12, 24, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Dropout(0.3),
    nn.Linear(24 * 49, 48),
    nn.ReLU(),
    nn.Linear(48, 1),
)
loss_fn = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([5.0]))
opt = torch.optim.Adam(net.parameters(), lr=1.5e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 10)


def ap(out, y):
    return float(average_precision_score(y.numpy().ravel(), out.detach().numpy().ravel()))


watch = dressage.watch(net, opt, loss_fn, train=(X, Y), val=(Xv, Yv), metric=ap)
for epoch in range(10):
    net.train()
    for rows in torch.randperm(len(X)).split(32):
        opt.zero_grad()
        loss = loss_fn(net(X[rows]), Y[rows])
        loss.backward()
        opt.step()
        watch.step(loss)
    sched.step()
    net.eval()
    with torch.no_grad():
        out = net(Xv)
    watch.validated(loss=loss_fn(out, Yv).item(), metric=ap(out, Yv))
    print(epoch, round(loss_fn(out, Yv).item(), 4), round(ap(out, Yv), 4))
done(watch, ap(out, Yv))
