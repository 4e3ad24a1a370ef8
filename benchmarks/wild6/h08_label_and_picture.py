"""One network gives the class and the picture again; the loss is a sum of both with a weight."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(
    torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y), test_size=0.25, random_state=SEED
)


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 24), nn.ReLU())
        self.label = nn.Linear(24, 10)
        self.picture = nn.Linear(24, 64)

    def forward(self, x):
        h = self.body(x)
        return self.label(h), torch.sigmoid(self.picture(h))


model = TwoHeads()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=32, shuffle=True)
watch = dressage.watch(model, optimizer, train=loader, val=(X_val, y_val))
for epoch in range(18):
    model.train()
    for xb, yb in loader:
        logits, again = model(xb)
        loss = F.cross_entropy(logits, yb) + 5.0 * F.mse_loss(again, xb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        logits, again = model(X_val)
        val_loss = F.cross_entropy(logits, y_val) + 5.0 * F.mse_loss(again, X_val)
    acc = (logits.argmax(1) == y_val).float().mean().item()
    watch.validated(loss=val_loss.item(), metric=acc)
done(watch, acc)
