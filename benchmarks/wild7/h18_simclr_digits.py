"""Self-supervised digits: contrastive pre-training without labels (NT-Xent), judged by nearest neighbours on the features."""

import torch
import torch.nn.functional as F
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from kit import done, dressage, idx

x, y = idx("mnist", "train", 4000)
xt, yt = idx("mnist", "t10k", 1000)
x, xt = [F.avg_pool2d(torch.from_numpy(a).float()[:, None] / 255, 2) for a in (x, xt)]


def augment(img):
    n = len(img)
    angle = (torch.rand(n) - 0.5) * 0.7
    scale = 1 + (torch.rand(n) - 0.5) * 0.4
    shear = (torch.rand(n) - 0.5) * 0.5
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    theta[:, 0, 1], theta[:, 1, 0] = -angle + shear, angle
    theta[:, :, 2] = (torch.rand(n, 2) - 0.5) * 0.4
    out = F.grid_sample(img, F.affine_grid(theta, img.shape, align_corners=False), align_corners=False)
    return out + 0.1 * torch.randn_like(out)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1),
            nn.BatchNorm2d(24),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1),
            nn.BatchNorm2d(48),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(48 * 9, 64),
        )
        self.project = nn.Sequential(nn.ReLU(), nn.Linear(64, 32))

    def forward(self, x):
        return F.normalize(self.project(self.features(x)), dim=1)


def nt_xent(z1, z2, tau=0.2):
    z = torch.cat([z1, z2])
    sim = (z @ z.T / tau).fill_diagonal_(-1e9)
    n = len(z1)
    return F.cross_entropy(sim, torch.cat([torch.arange(n, 2 * n), torch.arange(n)]))


model = Encoder()
opt = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-6)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 6)
watch = dressage.watch(model, opt)


def knn_accuracy():
    model.eval()
    with torch.no_grad():
        a, b = F.normalize(model.features(x), dim=1), F.normalize(model.features(xt), dim=1)
    return KNeighborsClassifier(5).fit(a[:500].numpy(), y[:500]).score(b.numpy(), yt)


print("untrained", knn_accuracy())
for epoch in range(6):
    model.train()
    total = 0
    for b in torch.randperm(len(x)).split(128):
        loss = nt_xent(model(augment(x[b])), model(augment(x[b])))
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
        total += loss.item() / 32
    sched.step()
    acc = knn_accuracy()
    watch.validated(metric=acc)
    print(epoch, round(total, 3), acc)
done(watch, acc)
