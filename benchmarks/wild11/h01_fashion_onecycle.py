"""Clothes with a small convolutional net: random shifts, label smoothing and one cycle of the rate."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage, idx

x, y = idx("fashion-mnist", "train", 4000)
xt, yt = idx("fashion-mnist", "t10k", 2000)
x = (torch.tensor(x)[:, None].float() / 255 - 0.286) / 0.353
xt = (torch.tensor(xt)[:, None].float() / 255 - 0.286) / 0.353
train_loader = DataLoader(TensorDataset(x, torch.tensor(y)), batch_size=64, shuffle=True)
test_loader = DataLoader(TensorDataset(xt, torch.tensor(yt)), batch_size=250)


def augment(batch):
    if torch.rand(1) < 0.5:
        batch = batch.flip(3)
    dx, dy = torch.randint(-1, 2, (2,)).tolist()
    return torch.roll(batch, (dy, dx), (2, 3))


def conv(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, 2, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU())


model = nn.Sequential(
    conv(1, 24),
    conv(24, 48),
    nn.Conv2d(48, 48, 3, 1, 1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Dropout(0.4),
    nn.Linear(48 * 49, 10),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.02)
EPOCHS = 9
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=EPOCHS * len(train_loader))
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=test_loader)

for epoch in range(EPOCHS):
    model.train()
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(augment(xb)), yb)
        loss.backward()
        optimizer.step()
        scheduler.step()
        watch.step(loss)
    model.eval()
    good = nll = 0
    with torch.no_grad():
        for xb, yb in test_loader:
            out = model(xb)
            good += (out.argmax(1) == yb).sum().item()
            nll += F.cross_entropy(out, yb, reduction="sum").item()
    watch.validated(loss=nll / 2000, metric=good / 2000)

done(watch, good / 2000)
