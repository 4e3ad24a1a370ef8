"""Which digits are in the picture? Two MNIST digits side by side, ten tags, own focal loss.

cause: loss.logits_as_probs
"""

import numpy as np
import torch
import torch.nn as nn

from kit import FIX, SEED, done, dressage, idx

rng = np.random.default_rng(SEED)


def pairs(part, n_images, n_pairs):
    x, y = idx("mnist", part, n_images)
    a, b = rng.integers(0, n_images, n_pairs), rng.integers(0, n_images, n_pairs)
    pic = np.concatenate([x[a], x[b]], axis=2)[:, None] / 255.0
    tags = np.zeros((n_pairs, 10), np.float32)
    tags[np.arange(n_pairs), y[a]] = 1
    tags[np.arange(n_pairs), y[b]] = 1
    return torch.tensor(pic, dtype=torch.float32), torch.tensor(tags)


X, T = pairs("train", 6000, 5000)
Xv, Tv = pairs("t10k", 1000, 800)


class FocalLoss(nn.Module):
    """FL = -(1 - p_t)^gamma log(p_t)"""

    def __init__(self, gamma=2.0, eps=1e-6):
        super().__init__()
        self.gamma, self.eps = gamma, eps

    def forward(self, p, target):
        p = p.clamp(self.eps, 1 - self.eps)
        pt = torch.where(target > 0.5, p, 1 - p)
        return (-((1 - pt) ** self.gamma) * pt.log()).mean()


class Tagger(nn.Module):
    def __init__(self, tags=10):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(32 * 4 * 7, 64), nn.ReLU(), nn.Linear(64, tags))

    def forward(self, x):
        out = self.classifier(self.features(x))
        return torch.sigmoid(out) if FIX else out


def micro_f1(p, target, threshold=0.5):
    hit = (p > threshold).float()
    tp = (hit * target).sum()
    return (2 * tp / (hit.sum() + target.sum())).item()


net = Tagger()
criterion = FocalLoss()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
watch = dressage.watch(net, opt, criterion, train=(X, T), val=(Xv, Tv), metric=micro_f1)

for epoch in range(8):
    net.train()
    for rows in torch.randperm(len(X)).split(64):
        opt.zero_grad()
        loss = criterion(net(X[rows]), T[rows])
        loss.backward()
        opt.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        p = net(Xv)
        vl = criterion(p, Tv).item()
    f1 = micro_f1(p, Tv)
    watch.validated(loss=vl, metric=f1)
    print(epoch, f"train {loss.item():.4f} val {vl:.4f} f1 {f1:.3f}")
done(watch, f1)
