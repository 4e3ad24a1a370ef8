"""A small vision transformer; the rate climbs from nearly nothing for the first 40 %, then falls as a cosine."""

import math

import torch
from kit import done, dressage, idx
from torch import nn


class ViT(nn.Module):
    def __init__(self, patch=7, dim=40, depth=2):
        super().__init__()
        self.patch = patch
        self.project = nn.Linear(patch * patch, dim)
        self.cls = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos = nn.Parameter(torch.randn(1, 17, dim) * 0.02)
        layer = nn.TransformerEncoderLayer(dim, 4, 2 * dim, 0.0, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 10))

    def forward(self, x):
        p = self.patch
        x = x.unfold(1, p, p).unfold(2, p, p).reshape(len(x), 16, p * p)
        x = torch.cat([self.cls.expand(len(x), -1, -1), self.project(x)], 1) + self.pos
        return self.head(self.encoder(x)[:, 0])


x, y = idx("mnist", "train", 4000)
xv, yv = idx("mnist", "t10k", 800)
x, xv = torch.tensor(x).float() / 255 - 0.13, torch.tensor(xv).float() / 255 - 0.13
y, yv = torch.tensor(y), torch.tensor(yv)
steps = 600
warmup = 240
model = ViT()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
schedule = torch.optim.lr_scheduler.LambdaLR(
    optimizer,
    lambda k: (
        (k / warmup) ** 3 + 1e-4 if k < warmup else 0.5 * (1 + math.cos(math.pi * (k - warmup) / (steps - warmup)))
    ),
)
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer, criterion, train=(x, y), val=(xv, yv))
for step in range(steps):
    b = torch.randint(0, len(x), (32,))
    optimizer.zero_grad()
    loss = criterion(model(x[b]), y[b])
    loss.backward()
    optimizer.step()
    watch.step(loss)
    schedule.step()
with torch.no_grad():
    done(watch, (model(xv).argmax(1) == yv).float().mean())
