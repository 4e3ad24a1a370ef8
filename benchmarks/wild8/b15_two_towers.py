"""Two views of a garment (upper and lower half of the picture), a tower for each, joined: on a card with little memory.

cause: optim.bn_small_batch
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx

BATCH_SIZE = 32 if FIX else 2
EPOCHS = 4


def halves(part, n):
    x, y = idx("fashion-mnist", part, n)
    x = torch.tensor(x).float() / 255
    return TensorDataset(x[:, :14].flatten(1), x[:, 14:].flatten(1), torch.tensor(y))


train_loader = DataLoader(halves("train", 2000), batch_size=BATCH_SIZE, shuffle=True, drop_last=True)
val_set = halves("t10k", 1000)
top, bottom, labels = val_set.tensors


class Tower(nn.Module):
    def __init__(self, n_in, n_out=48):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(n_in, 96),
            nn.BatchNorm1d(96),
            nn.ReLU(),
            nn.Linear(96, n_out),
            nn.BatchNorm1d(n_out),
            nn.ReLU(),
        )

    def forward(self, x):
        return self.net(x)


class TwoTowers(nn.Module):
    def __init__(self):
        super().__init__()
        self.top, self.bottom = Tower(14 * 28), Tower(14 * 28)
        self.joint = nn.Linear(96, 10)

    def forward(self, a, b):
        return self.joint(torch.cat([self.top(a), self.bottom(b)], dim=1))


model = TwoTowers()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer)

for epoch in range(EPOCHS):
    model.train()
    for a, b, target in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(a, b), target)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(top, bottom)
        val_loss = criterion(out, labels).item()
        val_acc = (out.argmax(1) == labels).float().mean().item()
    watch.validated(loss=val_loss, metric=val_acc)
    print(f"epoch {epoch + 1}/{EPOCHS} loss {loss.item():.3f} val_loss {val_loss:.3f} val_acc {val_acc:.3f}")

done(watch, val_acc)
