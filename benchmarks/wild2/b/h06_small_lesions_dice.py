"""Small bright spots to be marked in photographs, one pixel in fifty; soft Dice plus weighted cross-entropy, batches of two."""

import torch
import torch.nn.functional as F
from kit import SEED, cifar, done, dressage
from torch import nn
from torch.utils.data import DataLoader, Dataset

photos, _, photos_test, _ = cifar(700, 150)
yy, xx = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")


class Lesions(Dataset):
    def __init__(self, photos, seed):
        g = torch.Generator().manual_seed(seed)
        grey = torch.tensor(photos, dtype=torch.float32).mean(3) / 255
        centre = torch.randint(5, 27, (len(grey), 2), generator=g)
        radius = 1.5 + 2 * torch.rand(len(grey), generator=g)
        d = ((yy - centre[:, 0, None, None]) ** 2 + (xx - centre[:, 1, None, None]) ** 2).sqrt()
        self.mask = (d <= radius[:, None, None]).float().unsqueeze(1)
        ring = torch.cos(2.2 * d) * self.mask[:, 0]
        self.image = ((grey + 0.5 * ring - 0.48) / 0.25).unsqueeze(1)

    def __len__(self):
        return len(self.image)

    def __getitem__(self, k):
        return {"image": self.image[k], "mask": self.mask[k]}


class TinyUNet(nn.Module):
    def __init__(self, c=10):
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(1, c, 3, padding=1), nn.GroupNorm(2, c), nn.ReLU())
        self.b = nn.Sequential(nn.Conv2d(c, 2 * c, 3, padding=1), nn.GroupNorm(2, 2 * c), nn.ReLU())
        self.up = nn.ConvTranspose2d(2 * c, c, 2, stride=2)
        self.last = nn.Sequential(nn.Conv2d(2 * c, c, 3, padding=1), nn.ReLU(), nn.Conv2d(c, 1, 1))
        nn.init.constant_(self.last[-1].bias, -3.0)

    def forward(self, x):
        a = self.a(x)
        return self.last(torch.cat([a, self.up(self.b(F.max_pool2d(a, 2)))], 1))


def loss_fn(out, mask):
    p = out.sigmoid()
    dice = 1 - (2 * (p * mask).sum() + 1) / (p.sum() + mask.sum() + 1)
    return dice + F.binary_cross_entropy_with_logits(out, mask, pos_weight=torch.tensor(5.0))


train, test = Lesions(photos, SEED), Lesions(photos_test, 77)
loader = DataLoader(train, batch_size=2, shuffle=True)
net = TinyUNet()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
watch = dressage.watch(net, optimizer, loss_fn, train=loader)
for epoch in range(2):
    for batch in loader:
        loss = loss_fn(net(batch["image"]), batch["mask"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    found = net(test.image) > 0
print("share of pixels", test.mask.mean().item())
done(watch, 2 * (found & (test.mask > 0)).sum() / (found.sum() + test.mask.sum()))
