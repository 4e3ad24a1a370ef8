"""Train a classifier on clothing pictures that lie in sixteen shards on disk.

cause: data.duplicates
"""

import argparse

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from kit import FIX, done, dressage, idx

parser = argparse.ArgumentParser()
parser.add_argument("--shards", type=int, default=16)
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--lr", type=float, default=2e-3)
args = parser.parse_args([])

SHARD = 320
IMAGES, LABELS = idx("fashion-mnist", "train", SHARD * args.shards)


def load_shard(number=0):
    lo = number * SHARD
    x = torch.tensor(IMAGES[lo : lo + SHARD], dtype=torch.float32)[:, None] / 127.5 - 1
    return x, torch.tensor(LABELS[lo : lo + SHARD])


parts = []
for number in range(args.shards):
    parts.append(load_shard(number) if FIX else load_shard())
x_train = torch.cat([p[0] for p in parts])
y_train = torch.cat([p[1] for p in parts])
xv, yv = idx("fashion-mnist", "t10k", 1500)
x_val, y_val = torch.tensor(xv, dtype=torch.float32)[:, None] / 127.5 - 1, torch.tensor(yv)
print(f"training on {len(x_train)} images, validating on {len(x_val)}")

model = nn.Sequential(
    nn.Conv2d(1, 16, 3, stride=2, padding=1),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.Conv2d(32, 64, 3, stride=2, padding=1),
    nn.BatchNorm2d(64),
    nn.ReLU(),
    nn.Flatten(),
    nn.Dropout(0.2),
    nn.Linear(64 * 16, 10),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
steps = args.epochs * (len(x_train) // 64)
scheduler = CosineAnnealingLR(optimizer, steps)
loss_fn = nn.CrossEntropyLoss()
acc_fn = lambda o, t: (o.argmax(1) == t).float().mean().item()
watch = dressage.watch(model, optimizer, loss_fn, train=(x_train, y_train), val=(x_val, y_val), metric=acc_fn)

for epoch in range(args.epochs):
    model.train()
    perm = torch.randperm(len(x_train))
    for k in range(len(x_train) // 64):
        rows = perm[k * 64 : (k + 1) * 64]
        loss = loss_fn(model(x_train[rows]), y_train[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        scheduler.step()
        watch.step(loss)
    model.eval()
    with torch.inference_mode():
        out = torch.cat([model(x) for x in x_val.split(500)])
    acc = acc_fn(out, y_val)
    vloss = loss_fn(out, y_val).item()
    watch.validated(loss=vloss, metric=acc)
    print(f"epoch {epoch}: loss {loss.item():.3f} val_loss {vloss:.3f} val_acc {acc:.3f}")

done(watch, acc)
