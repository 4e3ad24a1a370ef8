"""Train a net on digits 0-6, freeze its body, and learn digits 7-9 from 300 examples with a new head."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage, idx

xa, ya = idx("mnist", "train", 8000)
xb, yb = idx("mnist", "t10k", 3000)
norm = lambda a: (torch.from_numpy(a).float().unsqueeze(1) / 255 - 0.13) / 0.31
xa, xb, ya, yb = norm(xa), norm(xb), torch.from_numpy(ya), torch.from_numpy(yb)

body = nn.Sequential(
    nn.Conv2d(1, 12, 5, stride=2, padding=2),
    nn.ReLU(),
    nn.Conv2d(12, 24, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2, ceil_mode=True),
    nn.Flatten(),
)
old_head = nn.Sequential(nn.Linear(24 * 16, 64), nn.ReLU(), nn.Linear(64, 7))
first = torch.nonzero(ya < 7).flatten()[:4000]
pre = torch.optim.Adam([*body.parameters(), *old_head.parameters()], lr=2e-3)
for _ in range(3):
    for rows in first[torch.randperm(len(first))].split(64):
        pre.zero_grad()
        F.cross_entropy(old_head(body(xa[rows])), ya[rows]).backward()
        pre.step()

for p in body.parameters():
    p.requires_grad_(False)
model = nn.Sequential(body, nn.Dropout(0.2), nn.Linear(24 * 16, 3))
few = torch.nonzero(ya >= 7).flatten()[:300]
test = torch.nonzero(yb >= 7).flatten()
train_dl = DataLoader(TensorDataset(xa[few], ya[few] - 7), batch_size=20, shuffle=True)
x_test, y_test = xb[test], yb[test] - 7
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model[2].parameters(), lr=3e-3, weight_decay=0.1)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 24)
watch = dressage.watch(model, optimizer, criterion, train=train_dl, val=(x_test, y_test))
for epoch in range(24):
    model.train()
    for x, y in train_dl:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    schedule.step()
    model.eval()
    with torch.no_grad():
        out = model(x_test)
    acc = (out.argmax(1) == y_test).float().mean().item()
    watch.validated(loss=criterion(out, y_test).item(), metric=acc)
done(watch, acc)
