"""Fashion articles with a multilayer perceptron and a step schedule.

cause: optim.schedule_collapsed
"""

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F

from kit import FIX, done, dressage, idx

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=8)
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--lr", type=float, default=0.05)
parser.add_argument("--gamma", type=float, default=0.975)
args = parser.parse_args()

xtr, ytr = idx("fashion-mnist", "train", 8000)
xte, yte = idx("fashion-mnist", "t10k", 2000)
xtr, xte = [(torch.from_numpy(a).float().view(-1, 784) / 255 - 0.286) / 0.353 for a in (xtr, xte)]
ytr, yte = torch.from_numpy(ytr), torch.from_numpy(yte)

model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=args.lr)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=args.gamma)
watch = dressage.watch(model, optimizer)


def train_epoch():
    model.train()
    for batch in torch.randperm(len(xtr)).split(args.batch):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(xtr[batch]), ytr[batch])
        loss.backward()
        optimizer.step()
        if not FIX:
            scheduler.step()
        watch.step(loss)


@torch.no_grad()
def test():
    model.eval()
    out = model(xte)
    return F.cross_entropy(out, yte).item(), (out.argmax(1) == yte).float().mean().item()


for epoch in range(args.epochs):
    train_epoch()
    if FIX:
        scheduler.step()
    val_loss, acc = test()
    watch.validated(loss=val_loss, metric=acc)

done(watch, acc)
