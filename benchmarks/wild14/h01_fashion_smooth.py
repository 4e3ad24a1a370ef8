"""Classify clothes with an MLP: label smoothing, dropout, one-cycle schedule to zero."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage, idx

x, y = idx("fashion-mnist", "train", 8000)
xt, yt = idx("fashion-mnist", "t10k", 2000)
x, xt = ((torch.tensor(a).float() / 255 - 0.286) / 0.353 for a in (x, xt))
y, yt = torch.tensor(y), torch.tensor(yt)
train, test = DataLoader(TensorDataset(x, y), 100, shuffle=True), DataLoader(TensorDataset(xt, yt), 500)

model = nn.Sequential(
    nn.Flatten(),
    nn.Linear(784, 128),
    nn.BatchNorm1d(128),
    nn.ReLU(),
    nn.Dropout(0.4),
    nn.Linear(128, 128),
    nn.BatchNorm1d(128),
    nn.ReLU(),
    nn.Dropout(0.4),
    nn.Linear(128, 10),
)
EPOCHS = 10
opt = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
sched = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=5e-3, total_steps=EPOCHS * len(train))
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
watch = dressage.watch(model, opt, criterion, train=train, val=test)

for epoch in range(EPOCHS):
    model.train()
    for xb, yb in train:
        loss = criterion(model(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = torch.cat([model(xb) for xb, _ in test])
    acc = (out.argmax(1) == yt).float().mean().item()
    watch.validated(loss=criterion(out, yt).item(), metric=acc)
done(watch, acc)
