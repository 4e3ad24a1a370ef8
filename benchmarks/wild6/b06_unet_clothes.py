"""Cutting clothes out of noise with a little U-Net and the dice coefficient.

cause: loss.wrong_sign
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset


def prepare(part, n):
    x, _ = idx("fashion-mnist", part, n)
    x = torch.tensor(x).float()[:, None] / 255
    mask = (x > 0.2).float()
    return (0.6 * x + 0.4 * torch.rand_like(x)), mask


x_train, m_train = prepare("train", 800)
x_val, m_val = prepare("t10k", 100)


def block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU())


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1, self.down2 = block(1, 8), block(8, 16)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.last = block(16, 8)
        self.head = nn.Conv2d(8, 1, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(self.pool(a))
        return self.head(self.last(torch.cat([a, self.up(b)], 1)))


def dice_coef(logits, target, smooth=1.0):
    p = torch.sigmoid(logits)
    inter = (p * target).sum((1, 2, 3))
    return ((2 * inter + smooth) / (p.sum((1, 2, 3)) + target.sum((1, 2, 3)) + smooth)).mean()


def dice_loss(logits, target):
    dice = dice_coef(logits, target)
    return 1 - dice if FIX else dice


model = UNet()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
train_loader = DataLoader(TensorDataset(x_train, m_train), batch_size=16, shuffle=True)
val_loader = DataLoader(TensorDataset(x_val, m_val), batch_size=50)
watch = dressage.watch(model, optimizer, dice_loss, train=train_loader, val=val_loader)
for epoch in range(3):
    model.train()
    for image, mask in train_loader:
        optimizer.zero_grad()
        loss = dice_loss(model(image), mask)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    losses, ious = [], []
    with torch.no_grad():
        for image, mask in val_loader:
            out = model(image)
            losses.append(dice_loss(out, mask))
            p = out > 0
            t = mask > 0.5
            ious.append((p & t).sum() / (p | t).sum())
    iou = torch.stack(ious).mean().item()
    watch.validated(loss=torch.stack(losses).mean().item(), metric=iou)
done(watch, iou)
