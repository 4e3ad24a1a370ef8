"""Kaggle script: digits that lie in one folder per class, own Dataset class.

cause: data.no_shuffle
"""

import numpy as np
import torch
from kit import FIX, done, dressage, idx
from torch import nn, optim
from torch.utils.data import DataLoader, Dataset


class DigitFolders(Dataset):
    def __init__(self, part, n):
        images, labels = idx("mnist", part, n)
        self.samples = []
        for digit in range(10):
            for img in images[labels == digit]:
                self.samples.append((img, digit))

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        img, digit = self.samples[i]
        return torch.from_numpy(img.astype(np.float32) / 255.0).view(-1), digit


CFG = dict(bs=32, lr=0.1, epochs=8)

train_ds = DigitFolders("train", 4000)
valid_ds = DigitFolders("t10k", 1000)
train_dl = DataLoader(train_ds, CFG["bs"], shuffle=FIX)
valid_dl = DataLoader(valid_ds, 256)

model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
opt = optim.SGD(model.parameters(), lr=CFG["lr"])
crit = nn.CrossEntropyLoss()
watch = dressage.watch(model, opt, crit, train=train_dl, val=valid_dl)

best = 0
for ep in range(CFG["epochs"]):
    model.train()
    tr = 0
    for xb, yb in train_dl:
        opt.zero_grad()
        loss = crit(model(xb), yb)
        loss.backward()
        opt.step()
        watch.step(loss)
        tr += loss.item()
    model.eval()
    with torch.no_grad():
        outs = [(model(xb), yb) for xb, yb in valid_dl]
    logits = torch.cat([o for o, _ in outs])
    ys = torch.cat([y for _, y in outs])
    vl = crit(logits, ys).item()
    acc = (logits.argmax(1) == ys).float().mean().item()
    watch.validated(loss=vl, metric=acc)
    print(f"ep {ep} train {tr / len(train_dl):.4f} valid {vl:.4f} acc {acc:.4f}")

done(watch, acc)
