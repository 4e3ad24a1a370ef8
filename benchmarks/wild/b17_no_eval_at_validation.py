"""No model.eval() before validating: heavy dropout stays on, and the answers are drawn with it.

cause: eval.train_mode_at_eval
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

X, y = load_digits(return_X_y=True)
X = torch.tensor(X / 16 - 0.3, dtype=torch.float32)
y = torch.tensor(y)
train, val = TensorDataset(X[:1300], y[:1300]), TensorDataset(X[1300:], y[1300:])
tl, vl = DataLoader(train, 32, True), DataLoader(val, 64)
net = nn.Sequential(
    nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.6), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.6), nn.Linear(64, 10)
)
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
watch = dressage.watch(net, optimizer, loss_fn, train=tl, val=vl)
for epoch in range(15):
    net.train()
    for xb, yb in tl:
        optimizer.zero_grad()
        loss = loss_fn(net(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    if FIX:
        net.eval()
    watch.validating()
    with torch.no_grad():
        out = [(net(a), b) for a, b in vl]
        acc = sum((o.argmax(1) == b).sum().item() for o, b in out) / len(val)
        vloss = sum(loss_fn(o, b).item() for o, b in out) / len(vl)
    watch.validated(loss=vloss, metric=acc)
done(watch, acc)
