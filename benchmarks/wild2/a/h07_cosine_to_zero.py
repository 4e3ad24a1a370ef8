"""Fashion-MNIST, a CNN with batch norm, cosine decay of the rate to zero over the steps."""

import torch
import torch.nn as nn
from kit import done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("fashion-mnist", "train", 5000)
xt, yt = idx("fashion-mnist", "t10k", 1000)
train_loader = DataLoader(
    TensorDataset(torch.tensor(x)[:, None] / 255.0, torch.tensor(y)), batch_size=64, shuffle=True, drop_last=True
)
test_loader = DataLoader(TensorDataset(torch.tensor(xt)[:, None] / 255.0, torch.tensor(yt)), batch_size=250)
model = nn.Sequential(
    nn.Conv2d(1, 16, 3, stride=2, padding=1),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(3),
    nn.Flatten(),
    nn.Linear(288, 10),
)
epochs = 6
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * len(train_loader))
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=test_loader)
for epoch in range(epochs):
    model.train()
    for xb, yb in train_loader:
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        scheduler.step()
model.eval()
with torch.no_grad():
    done(watch, sum((model(a).argmax(1) == b).sum().item() for a, b in test_loader) / 1000)
