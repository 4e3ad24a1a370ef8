"""Six tags for every digit picture, several true at once.

cause: model.wrong_output_activation
"""

import torch
import torch.nn as nn
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

images, digit = load_digits(return_X_y=True)
X = torch.tensor(images / 16.0, dtype=torch.float32)
d = torch.tensor(digit)
tags = torch.stack(
    [
        d % 2 == 0,
        d >= 5,
        (d == 2) | (d == 3) | (d == 5) | (d == 7),
        (d == 0) | (d == 6) | (d == 8) | (d == 9),
        (d == 1) | (d == 4) | (d == 7),
        X.sum(1) > X.sum(1).median(),
    ],
    dim=1,
).float()
X_train, X_val, y_train, y_val = train_test_split(X, tags, test_size=0.3, random_state=SEED)


class TagNet(nn.Module):
    def __init__(self, n_tags):
        super().__init__()
        self.fc1 = nn.Linear(64, 64)
        self.fc2 = nn.Linear(64, 32)
        self.out = nn.Linear(32, n_tags)
        self.act = nn.ReLU()

    def forward(self, x):
        x = self.act(self.fc1(x))
        x = self.act(self.fc2(x))
        x = self.out(x)
        return x if FIX else self.act(x)


net = TagNet(tags.shape[1])
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=32, shuffle=True)
watch = dressage.watch(net, optimizer, criterion, train=loader, val=TensorDataset(X_val, y_val))
for epoch in range(15):
    net.train()
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(net(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        logits = net(X_val)
        val_loss = criterion(logits, y_val).item()
    f1 = f1_score(y_val.numpy(), (torch.sigmoid(logits) > 0.5).numpy(), average="macro", zero_division=0)
    watch.validated(loss=val_loss, metric=f1)
done(watch, -val_loss)
