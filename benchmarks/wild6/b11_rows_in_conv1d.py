"""Digits read as eight steps of eight channels by a 1-D convolution; plain SGD.

cause: optim.lr_too_low
"""

import torch
import torch.nn as nn
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

images, labels = load_digits(return_X_y=True)
signals = torch.tensor(images, dtype=torch.float32).view(-1, 8, 8)
signals = (signals - signals.mean()) / signals.std()
x_tr, x_va, y_tr, y_va = train_test_split(signals, torch.tensor(labels), test_size=0.3, random_state=SEED)


class Conv1dNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(8, 24, 3, padding=1),
            nn.ReLU(),
            nn.Conv1d(24, 24, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(24 * 8, 10),
        )

    def forward(self, x):
        return self.net(x)


model = Conv1dNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05 if FIX else 5e-4)
train_loader = DataLoader(TensorDataset(x_tr, y_tr), batch_size=32, shuffle=True)
val_loader = DataLoader(TensorDataset(x_va, y_va), batch_size=180)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader)
for epoch in range(12):
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
            val_loss += criterion(out, y).item() * len(y)
            right += (out.argmax(1) == y).sum().item()
    watch.validated(loss=val_loss / len(y_va), metric=right / len(y_va))
done(watch, right / len(y_va))
