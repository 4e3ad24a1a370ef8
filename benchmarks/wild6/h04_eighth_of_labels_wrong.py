"""Digits of which every eighth has been labelled at random, learned all the same; those for validation were checked."""

import torch
import torch.nn as nn
from kit import SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(
    torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y), test_size=0.3, random_state=SEED
)
typo = torch.rand(len(y_train)) < 0.125
y_train = torch.where(typo, torch.randint(0, 10, y_train.shape), y_train)
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.4), nn.Linear(64, 10))
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4)
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=32, shuffle=True)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=(X_val, y_val))
for epoch in range(15):
    model.train()
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(X_val)
    acc = (out.argmax(1) == y_val).float().mean().item()
    watch.validated(loss=criterion(out, y_val).item(), metric=acc)
done(watch, acc)
