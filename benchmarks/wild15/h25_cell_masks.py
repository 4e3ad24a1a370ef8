"""Finds small bright cells in noisy microscope images: a two-level U-Net, few foreground pixels, BCE plus Dice."""

import numpy as np
import torch
from torch import nn

from kit import SEED, done, dressage


def sample(rng, s=32):
    yy, xx = np.mgrid[0:s, 0:s]
    mask = np.zeros((s, s), bool)
    for _ in range(rng.integers(1, 4)):
        cy, cx = rng.integers(4, s - 4, 2)
        a, b, th = rng.uniform(1.8, 3.6), rng.uniform(1.5, 2.6), rng.uniform(0, np.pi)
        u, v = (yy - cy) * np.cos(th) + (xx - cx) * np.sin(th), -(yy - cy) * np.sin(th) + (xx - cx) * np.cos(th)
        mask |= (u / a) ** 2 + (v / b) ** 2 < 1
    shade = (
        0.6 * np.sin(xx / rng.uniform(6, 12) + rng.uniform(0, 6)) * np.sin(yy / rng.uniform(6, 12) + rng.uniform(0, 6))
    )
    image = shade + 0.9 * mask + rng.normal(0, 0.4, (s, s))
    return image, mask


def make(n, seed):
    rng = np.random.default_rng(seed)
    pairs = [sample(rng) for _ in range(n)]
    image = torch.tensor(np.array([p[0] for p in pairs]), dtype=torch.float32)[:, None]
    return image, torch.tensor(np.array([p[1] for p in pairs]), dtype=torch.float32)[:, None]


def double(i, o):
    return nn.Sequential(
        nn.Conv2d(i, o, 3, padding=1),
        nn.BatchNorm2d(o),
        nn.ReLU(),
        nn.Conv2d(o, o, 3, padding=1),
        nn.BatchNorm2d(o),
        nn.ReLU(),
    )


class UNet(nn.Module):
    def __init__(self, c=8):
        super().__init__()
        self.down1, self.down2, self.mid = double(1, c), double(c, 2 * c), double(2 * c, 2 * c)
        self.up2, self.up1 = double(4 * c, c), double(2 * c, c)
        self.pool, self.grow = nn.MaxPool2d(2), nn.Upsample(scale_factor=2, mode="nearest")
        self.out = nn.Conv2d(c, 1, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(self.pool(a))
        m = self.mid(self.pool(b))
        u = self.up2(torch.cat([self.grow(m), b], 1))
        return self.out(self.up1(torch.cat([self.grow(u), a], 1)))


def bce_dice(logits, mask):
    p = torch.sigmoid(logits)
    dice = 1 - (2 * (p * mask).sum() + 1) / (p.sum() + mask.sum() + 1)
    return nn.functional.binary_cross_entropy_with_logits(logits, mask) + dice


def dice_score(logits, mask):
    p = (logits > 0).float()
    return (2 * (p * mask).sum() / (p.sum() + mask.sum()).clamp(min=1)).item()


train_x, train_y = make(1200, 1000 + SEED)
val_x, val_y = make(300, 2000 + SEED)
print("foreground share", train_y.mean().item())
net = UNet()
optim = torch.optim.Adam(net.parameters(), lr=4e-3)
decay = torch.optim.lr_scheduler.StepLR(optim, step_size=4, gamma=0.3)
watch = dressage.watch(net, optim)

for epoch in range(8):
    net.train()
    for rows in torch.randperm(len(train_x)).split(24):
        x, y = train_x[rows], train_y[rows]
        if torch.rand(1) < 0.5:
            x, y = x.flip(-1), y.flip(-1)
        loss = bce_dice(net(x), y)
        optim.zero_grad()
        loss.backward()
        optim.step()
        watch.step(loss)
    decay.step()
    net.eval()
    with torch.no_grad():
        logits = net(val_x)
    score = dice_score(logits, val_y)
    print(epoch, f"train {loss.item():.3f} val {bce_dice(logits, val_y).item():.3f} dice {score:.4f}")
    watch.validated(loss=bce_dice(logits, val_y).item())
done(watch, score)
