"""Read 8x8 digits with a tower of batch-normalised layers, checking the untrained net first.

cause: eval.eval_mode_in_training
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

X, y = load_digits(return_X_y=True)
X = X / 16.0
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=SEED)
X_train, X_test = torch.tensor(X_train, dtype=torch.float32), torch.tensor(X_test, dtype=torch.float32)
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=32, shuffle=True, drop_last=True)


def block(i, o):
    return [nn.Linear(i, o, bias=False), nn.BatchNorm1d(o), nn.ReLU()]


widths = [64] + [48] * 9
model = nn.Sequential(*[m for i, o in zip(widths, widths[1:]) for m in block(i, o)], nn.Linear(48, 10))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=(X_test, y_test))


def evaluate():
    model.eval()
    with torch.no_grad():
        out = model(X_test)
    return criterion(out, y_test).item(), (out.argmax(1) == y_test).float().mean().item()


print("before training", evaluate())
for epoch in range(12):
    if FIX:
        model.train()
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    val_loss, acc = evaluate()
    watch.validated(loss=val_loss, metric=acc)

done(watch, acc)
