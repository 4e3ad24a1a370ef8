"""Little U-Net: noisy garment pictures -> mask; the masks were read as 0 and 255.

cause: data.target_unscaled
"""

import numpy as np
import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, Dataset

imgs, _ = idx("fashion-mnist", "train", 1400)
rng = np.random.default_rng(0)
masks = ((imgs > 40) * 255).astype(np.uint8)
noisy = np.clip(imgs * 0.35 + rng.normal(90, 45, imgs.shape), 0, 255).astype(np.uint8)


class SegDataset(Dataset):
    def __init__(self, lo, hi):
        self.r = range(lo, hi)

    def __len__(self):
        return len(self.r)

    def __getitem__(self, i):
        i = self.r[i]
        img = torch.from_numpy(noisy[i]).float()[None] / 255
        mask = torch.from_numpy(masks[i]).float()[None]
        return (img - 0.4) / 0.2, mask / 255 if FIX else mask


def block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.d1, self.d2, self.pool = block(1, 8), block(8, 16), nn.MaxPool2d(2)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.u1 = block(16, 8)
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        a = self.d1(x)
        b = self.d2(self.pool(a))
        return self.out(self.u1(torch.cat([self.up(b), a], 1)))


train, val = DataLoader(SegDataset(0, 1000), 20, shuffle=True), DataLoader(SegDataset(1000, 1400), 50)
model = UNet()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=train, val=val)
for epoch in range(4):
    model.train()
    for image, mask in train:
        pred = model(image)
        loss = criterion(pred, mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    inter = union = 0
    with torch.no_grad():
        for image, mask in val:
            p, m = model(image) > 0, mask > 0.5
            inter += (p & m).sum().item()
            union += (p | m).sum().item()
    watch.validated(metric=inter / union)
    print(epoch, loss.item(), inter / union)
done(watch, inter / union)
