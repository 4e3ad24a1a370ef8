"""Find small bright cells in noisy microscope pictures (2 % of the pixels) with a tiny U-Net and the Dice loss."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage

rng = np.random.default_rng(13)
S = 32
yy, xx = np.mgrid[:S, :S]


def picture():
    img = 0.3 * np.sin(xx / rng.uniform(3, 9) + rng.uniform(0, 6)) + 0.3 * np.sin(
        yy / rng.uniform(3, 9) + rng.uniform(0, 6)
    )
    mask = np.zeros((S, S), bool)
    for _ in range(rng.integers(1, 4)):
        r, cy, cx = rng.uniform(1.2, 2.2), *rng.uniform(3, S - 3, 2)
        cell = (yy - cy) ** 2 + (xx - cx) ** 2 <= r * r
        mask |= cell
        img += 0.9 * np.exp(-((yy - cy) ** 2 + (xx - cx) ** 2) / (2 * r * r))
    # a stripe that is bright too, but not a cell
    img += 0.8 * np.exp(-((yy - rng.uniform(0, S)) ** 2) / 3)
    return img + rng.normal(0, 0.25, (S, S)), mask


pics = [picture() for _ in range(1000)]
X = torch.tensor(np.stack([p[0] for p in pics]), dtype=torch.float32)[:, None]
M = torch.tensor(np.stack([p[1] for p in pics]), dtype=torch.float32)[:, None]
print("share of cell pixels", M.mean().item())
train_dl = DataLoader(TensorDataset(X[:800], M[:800]), 16, shuffle=True)
val_x, val_m = X[800:], M[800:]


def block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.GroupNorm(4, o), nn.ReLU())


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.d1, self.d2, self.mid = block(1, 8), block(8, 16), block(16, 16)
        self.u2, self.u1 = block(32, 16), block(24, 8)
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        a = self.d1(x)
        b = self.d2(F.max_pool2d(a, 2))
        c = self.mid(F.max_pool2d(b, 2))
        c = self.u2(torch.cat([F.interpolate(c, scale_factor=2), b], 1))
        return self.out(self.u1(torch.cat([F.interpolate(c, scale_factor=2), a], 1)))


def dice_loss(logits, mask):
    p = torch.sigmoid(logits)
    inter = (p * mask).sum((1, 2, 3))
    return 1 - ((2 * inter + 1) / (p.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1)).mean()


def dice_score(logits, mask):
    p = (logits > 0).float()
    return ((2 * (p * mask).sum((1, 2, 3)) + 1) / (p.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1)).mean().item()


model = UNet()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
EPOCHS = 10
sched = torch.optim.lr_scheduler.PolynomialLR(opt, EPOCHS * len(train_dl), power=0.9)
watch = dressage.watch(model, opt, dice_loss, train=train_dl, val=(val_x, val_m), metric=dice_score)
for epoch in range(EPOCHS):
    model.train()
    for xb, mb in train_dl:
        opt.zero_grad()
        loss = dice_loss(model(xb), mb)
        loss.backward()
        opt.step()
        sched.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(val_x)
    vl, score = dice_loss(out, val_m).item(), dice_score(out, val_m)
    watch.validated(loss=vl, metric=score)
    print(epoch, round(loss.item(), 4), round(vl, 4), round(score, 4))
done(watch, score)
