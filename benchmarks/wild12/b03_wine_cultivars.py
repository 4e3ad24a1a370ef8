"""Which cultivar is this wine? A small net on the chemical analysis.

cause: data.unscaled_inputs
"""

import torch
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

X, y = load_wine(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.35, stratify=y, random_state=SEED)
if FIX:
    mu, sd = X_train.mean(0), X_train.std(0)
    X_train, X_val = (X_train - mu) / sd, (X_val - mu) / sd

X_train, X_val = torch.tensor(X_train).float(), torch.tensor(X_val).float()
y_train, y_val = torch.tensor(y_train), torch.tensor(y_val)

model = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=16, shuffle=True)


def acc(out, target):
    return (out.argmax(-1) == target).float().mean().item()


watch = dressage.watch(model, optimizer, loss_fn, train=(X_train, y_train), val=(X_val, y_val), metric=acc)

for epoch in range(40):
    model.train()
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(X_val)
        watch.validated(loss=loss_fn(out, y_val).item(), metric=acc(out, y_val))

done(watch, acc(out, y_val))
