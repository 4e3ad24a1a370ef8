"""A plain stack of nine batch-normalised convolutions on Fashion-MNIST, with a check of the validation loop before training.

cause: eval.eval_mode_in_training
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx


class Stack(nn.Module):
    def __init__(self, widths=(12, 12, 24, 24, 24, 32, 32, 32, 32)):
        super().__init__()
        layers, last = [], 1
        for i, w in enumerate(widths):
            layers += [
                nn.Conv2d(last, w, 3, stride=2 if i in (0, 2, 5) else 1, padding=1, bias=False),
                nn.BatchNorm2d(w),
                nn.ReLU(),
            ]
            last = w
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(last, 10)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


@torch.no_grad()
def validate(model, loader):
    model.eval()
    loss, hits, seen = 0.0, 0, 0
    for x, y in loader:
        out = model(x)
        loss += F.cross_entropy(out, y, reduction="sum").item()
        hits += (out.argmax(1) == y).sum().item()
        seen += len(y)
    return loss / seen, hits / seen


def load(part, n):
    x, y = idx("fashion-mnist", part, n)
    return TensorDataset(torch.from_numpy(x)[:, None].float().div(255).sub(0.3).div(0.35), torch.from_numpy(y))


train = DataLoader(load("train", 3500), batch_size=50, shuffle=True)
val = DataLoader(load("t10k", 800), batch_size=200)
model = Stack()
optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-4)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 9, eta_min=2e-3)
watch = dressage.watch(model, optimizer)

validate(model, val)
for epoch in range(9):
    if FIX:
        model.train()
    for x, y in train:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    schedule.step()
    val_loss, acc = validate(model, val)
    watch.validated(loss=val_loss, metric=acc)

done(watch, acc)
