"""Reads MNIST digits row by row with a GRU.

cause: loss.sum_reduction
"""

from types import SimpleNamespace

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx

args = SimpleNamespace(epochs=5, batch_size=20, lr=0.02, momentum=0.9, hidden=64, n_train=5000, n_test=1500)


def load(part, n):
    images, labels = idx("mnist", part, n)
    images = (torch.from_numpy(images).float() / 255 - 0.1307) / 0.3081
    return TensorDataset(images, torch.from_numpy(labels))


class RowGRU(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.gru = nn.GRU(28, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 10)

    def forward(self, x):
        _, h = self.gru(x)
        return self.head(h[-1])


train_loader = DataLoader(load("train", args.n_train), batch_size=args.batch_size, shuffle=True)
test_loader = DataLoader(load("t10k", args.n_test), batch_size=500)
model = RowGRU(args.hidden)
optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum)
criterion = nn.CrossEntropyLoss(reduction="mean" if FIX else "sum")
watch = dressage.watch(model, optimizer, criterion)

for epoch in range(1, args.epochs + 1):
    model.train()
    running = 0.0
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        running += loss.item()
    model.eval()
    test_loss, correct = 0.0, 0
    with torch.no_grad():
        for images, labels in test_loader:
            out = model(images)
            test_loss += criterion(out, labels).item() / len(test_loader)
            correct += (out.argmax(1) == labels).sum().item()
    acc = correct / args.n_test
    print(f"Epoch {epoch}/{args.epochs} running {running:.2f} test loss {test_loss:.3f} acc {acc:.4f}")

done(watch, acc)
