"""Recognise four kinds of heart beats in short one-channel recordings with 1-D convolutions.

cause: optim.vanishing_gradients
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(SEED)


def beat(kind):
    t = np.arange(64) / 64
    c = 0.5 + rng.normal(0, 0.08)
    w = rng.uniform(0.02, 0.04)
    wave = np.exp(-(((t - c) / w) ** 2))
    if kind == 1:
        wave = wave - 0.7 * np.exp(-(((t - c - 2 * w) / w) ** 2))
    elif kind == 2:
        wave = np.exp(-(((t - c) / (2 * w)) ** 2))
    elif kind == 3:
        wave = wave + 0.6 * np.exp(-(((t - c - 0.2) / (1.5 * w)) ** 2))
    return wave * rng.uniform(0.7, 1.3) + 0.3 * rng.normal(size=64) * rng.uniform(0.5, 1.5)


def recordings(n):
    kinds = rng.integers(0, 4, n)
    x = np.stack([beat(k) for k in kinds])
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    return TensorDataset(torch.tensor(x, dtype=torch.float32)[:, None], torch.tensor(kinds))


train_loader = DataLoader(recordings(4000), batch_size=64, shuffle=True)
val_loader = DataLoader(recordings(1000), batch_size=500)
Act = nn.ReLU if FIX else nn.Sigmoid


class WaveNet1d(nn.Module):
    def __init__(self, channels=16, depth=7):
        super().__init__()
        layers, c = [], 1
        for k in range(depth):
            layers += [nn.Conv1d(c, channels, 5, stride=2 if k in (1, 3) else 1, padding=2), Act()]
            c = channels
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(channels * 16, 4)
        for m in self.body:
            if isinstance(m, nn.Conv1d):
                nn.init.kaiming_normal_(m.weight)
                nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))


model = WaveNet1d()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
loss_fn = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer, loss_fn, train=train_loader, val=val_loader)

for epoch in range(8):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = torch.cat([model(x) for x, _ in val_loader])
        ys = torch.cat([y for _, y in val_loader])
    acc = (out.argmax(1) == ys).float().mean().item()
    watch.validated(loss=loss_fn(out, ys).item(), metric=acc)
    print(f"epoch {epoch}: acc {acc:.3f}")

done(watch, acc)
