"""A body that has learned digits; clothes first with a new head alone, later with all layers.

cause: optim.frozen_params
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset


def get(name, part, n):
    x, y = idx(name, part, n)
    return torch.tensor(x).float()[:, None] / 255, torch.tensor(y)


class SmallNet(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 12, 5, stride=2), nn.ReLU(), nn.Conv2d(12, 32, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )
        self.fc = nn.Linear(32, num_classes)

    def forward(self, x):
        return self.fc(self.body(x).flatten(1))


model = SmallNet()
pre = DataLoader(TensorDataset(*get("mnist", "train", 2000)), batch_size=64, shuffle=True)
opt = torch.optim.Adam(model.parameters(), lr=4e-3)
for _ in range(2):
    for x, y in pre:
        opt.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        opt.step()

train_set = TensorDataset(*get("fashion-mnist", "train", 2000))
val_set = TensorDataset(*get("fashion-mnist", "t10k", 800))
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
val_loader = DataLoader(val_set, batch_size=200)

for param in model.parameters():
    param.requires_grad = False
model.fc = nn.Linear(32, 10)

criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=4e-3)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader)
for epoch in range(9):
    if epoch == 2:
        for param in model.body.parameters():
            param.requires_grad = True
        if FIX:
            optimizer.add_param_group({"params": model.body.parameters()})
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    val_loss, right = 0.0, 0
    with torch.no_grad():
        for x, y in val_loader:
            out = model(x)
            val_loss += criterion(out, y).item() / len(val_loader)
            right += (out.argmax(1) == y).sum().item()
    watch.validated(loss=val_loss, metric=right / len(val_set))
done(watch, right / len(val_set))
