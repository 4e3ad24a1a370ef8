"""A small residual network on photographs with the recipe of a paper: SGD, milestones (accuracy).

cause: optim.schedule_collapsed
"""

import torch
import torch.nn.functional as F
from kit import FIX, cifar, done, dressage
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y, xt, yt = cifar(3000, 800)
mean, std = x.mean((0, 1, 2)), x.std((0, 1, 2))
x, xt = (torch.tensor((a - mean) / std, dtype=torch.float32).permute(0, 3, 1, 2)[:, :, ::2, ::2] for a in (x, xt))
train, val = TensorDataset(x, torch.tensor(y)), TensorDataset(xt, torch.tensor(yt))
train_loader, val_loader = DataLoader(train, 50, shuffle=True), DataLoader(val, 200)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a, self.b = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.na, self.nb = nn.BatchNorm2d(c), nn.BatchNorm2d(c)

    def forward(self, x):
        return F.relu(x + self.nb(self.b(F.relu(self.na(self.a(x))))))


model = nn.Sequential(
    nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), Block(16), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
    Block(32), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)  # fmt: skip
epochs = 8
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[4, 6, 7], gamma=0.1)
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader)
for epoch in range(epochs):
    model.train()
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        if not FIX:
            scheduler.step()
    if FIX:
        scheduler.step()
model.eval()
with torch.no_grad():
    right = sum((model(a).argmax(1) == b).sum().item() for a, b in val_loader)
done(watch, right / len(val))
