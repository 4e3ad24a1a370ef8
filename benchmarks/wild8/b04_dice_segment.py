"""Cut garments out of a cluttered background: a small encoder-decoder with a soft Dice objective.

cause: loss.wrong_sign
"""

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

from kit import FIX, SEED, done, dressage, idx

rng = np.random.default_rng(SEED)


def scenes(images):
    out, masks = [], []
    for im in images:
        canvas = rng.normal(0.35, 0.12, (36, 36))
        canvas += 0.25 * np.sin(np.arange(36)[:, None] / rng.uniform(1.5, 4)) * rng.choice([0, 1])
        mask = np.zeros((36, 36))
        r, c = rng.integers(0, 9, 2)
        m = im > 20
        canvas[r : r + 28, c : c + 28][m] = im[m] / 255.0
        mask[r : r + 28, c : c + 28][m] = 1
        out.append(canvas)
        masks.append(mask)
    return (torch.tensor(np.array(out), dtype=torch.float32)[:, None] - 0.4) / 0.3, torch.tensor(
        np.array(masks), dtype=torch.float32
    )[:, None]


x_tr, m_tr = scenes(idx("fashion-mnist", "train", 1200)[0])
x_va, m_va = scenes(idx("fashion-mnist", "t10k", 300)[0])


def block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU())


class SmallUNet(nn.Module):
    def __init__(self, w=8):
        super().__init__()
        self.d1, self.d2, self.mid = block(1, w), block(w, 2 * w), block(2 * w, 4 * w)
        self.u2, self.u1 = block(6 * w, 2 * w), block(3 * w, w)
        self.head = nn.Conv2d(w, 1, 1)

    def forward(self, x):
        a = self.d1(x)
        b = self.d2(F.max_pool2d(a, 2))
        c = self.mid(F.max_pool2d(b, 2))
        b = self.u2(torch.cat([F.interpolate(c, scale_factor=2), b], 1))
        a = self.u1(torch.cat([F.interpolate(b, scale_factor=2), a], 1))
        return self.head(a)


def soft_dice(logits, mask, smooth=1.0):
    p = torch.sigmoid(logits)
    inter = (p * mask).sum((1, 2, 3))
    total = p.sum((1, 2, 3)) + mask.sum((1, 2, 3))
    dice = ((2 * inter + smooth) / (total + smooth)).mean()
    return 1 - dice if FIX else dice


def iou(logits, mask):
    p = logits > 0
    m = mask > 0.5
    return ((p & m).sum((1, 2, 3)) / (p | m).sum((1, 2, 3)).clamp(min=1)).float().mean().item()


net = SmallUNet()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
watch = dressage.watch(net, opt, soft_dice, train=(x_tr, m_tr), val=(x_va, m_va), metric=iou)
for epoch in range(5):
    net.train()
    for idxs in torch.randperm(len(x_tr)).split(16):
        opt.zero_grad()
        loss = soft_dice(net(x_tr[idxs]), m_tr[idxs])
        loss.backward()
        opt.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        out = net(x_va)
    score = iou(out, m_va)
    vl = soft_dice(out, m_va).item()
    watch.validated(loss=vl, metric=score)
    print(f"[{epoch}] dice objective {vl:.4f}  IoU {score:.4f}")
done(watch, score)
