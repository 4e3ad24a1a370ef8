"""An endless stream (IterableDataset) of pictures turned and shifted at random: rings and strokes (R2 of ink and width)."""

import numpy as np
import torch
from kit import done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

x, _ = idx("mnist", "train", 3000)
xt, _ = idx("mnist", "t10k", 800)


def describe(a):
    ink = a.mean((1, 2))
    wide = (a.max(1) > 0.3).sum(1)
    return np.stack([(ink - 0.13) / 0.045, (wide - 14) / 4], 1).astype("float32")


class Stream(IterableDataset):
    def __init__(self, images):
        self.images = images

    def __iter__(self):
        rng = np.random.default_rng(torch.initial_seed() % 2**32)
        while True:
            a = self.images[rng.integers(len(self.images))].astype("float32") / 255
            a = np.roll(a, rng.integers(-3, 4, 2), (0, 1))
            if rng.random() < 0.5:
                a = a[::-1].copy()
            yield a[None] - 0.13, describe(a[None])[0]


loader = DataLoader(Stream(x), batch_size=32)
val = xt.astype("float32") / 255
val = torch.tensor(val[:, None] - 0.13), torch.tensor(describe(val))
model = nn.Sequential(
    nn.Conv2d(1, 12, 5, stride=2), nn.ReLU(), nn.Conv2d(12, 24, 5, stride=2), nn.ReLU(), nn.Flatten(),
    nn.Linear(384, 64), nn.ReLU(), nn.Linear(64, 2),
)  # fmt: skip
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loss_fn = nn.SmoothL1Loss()
watch = dressage.watch(model, optimizer, loss_fn, val=val)
for step, (a, b) in enumerate(loader):
    optimizer.zero_grad()
    loss = loss_fn(model(a), b)
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if step == 599:
        break
with torch.no_grad():
    error = ((model(val[0]) - val[1]) ** 2).mean(0)
done(watch, (1 - error / val[1].var(0)).mean())
