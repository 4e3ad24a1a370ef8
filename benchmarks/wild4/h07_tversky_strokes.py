"""Finds the strokes of a digit laid over a picture of clothes, with the Tversky loss (score: IoU)."""

import torch
from kit import done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, Dataset

digits, _ = idx("mnist", "train", 2200)
clothes, _ = idx("fashion-mnist", "train", 2200)


class Overlay(Dataset):
    def __init__(self, first, last):
        a = torch.tensor(digits[first:last] / 255, dtype=torch.float32)
        b = torch.tensor(clothes[first:last] / 255, dtype=torch.float32)
        self.x = ((1 - a) * b * 0.7 + a).unsqueeze(1) - 0.3
        self.y = (a > 0.4).float().unsqueeze(1)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def tversky(logits, mask, alpha=0.3, beta=0.7):
    p = torch.sigmoid(logits)
    tp = (p * mask).sum((1, 2, 3))
    fp = (p * (1 - mask)).sum((1, 2, 3))
    fn = ((1 - p) * mask).sum((1, 2, 3))
    return (1 - (tp + 1) / (tp + alpha * fp + beta * fn + 1)).mean()


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU())
        self.b = nn.Sequential(
            nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()
        )
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.c = nn.Sequential(nn.Conv2d(16, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1))

    def forward(self, x):
        a = self.a(x)
        return self.c(torch.cat([a, self.up(self.b(a))], 1))


train, val = Overlay(0, 1800), Overlay(1800, 2200)
model = UNet()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
watch = dressage.watch(model, optimizer, tversky, train=train, val=val)
for epoch in range(4):
    for x, mask in DataLoader(train, batch_size=16, shuffle=True):
        loss = tversky(model(x), mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    guess = model(val.x) > 0
inter = (guess & (val.y > 0)).sum()
done(watch, inter / (guess | (val.y > 0)).sum())
