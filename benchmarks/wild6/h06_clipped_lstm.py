"""Digits read row by row by an LSTM whose gradient is clipped at each step."""

import torch
import torch.nn as nn
from kit import SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

X, y = load_digits(return_X_y=True)
X = torch.tensor(X / 16, dtype=torch.float32).view(-1, 8, 8)
X_train, X_val, y_train, y_val = train_test_split(X, torch.tensor(y), test_size=0.25, random_state=SEED)


class RowLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 40, batch_first=True)
        self.fc = nn.Linear(40, 10)

    def forward(self, x):
        _, (h, _) = self.lstm(x)
        return self.fc(h[-1])


model = RowLSTM()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=32, shuffle=True)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=(X_val, y_val))
for epoch in range(8):
    model.train()
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(X_val)
    acc = (out.argmax(1) == y_val).float().mean().item()
    watch.validated(loss=criterion(out, y_val).item(), metric=acc)
done(watch, acc)
