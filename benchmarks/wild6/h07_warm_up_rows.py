"""A small transformer over the rows of a digit; the rate climbs for a third of the steps, then falls as a cosine."""

import math

import torch
import torch.nn as nn
from kit import SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

X, y = load_digits(return_X_y=True)
X = torch.tensor(X / 16, dtype=torch.float32).view(-1, 8, 8)
X_train, X_val, y_train, y_val = train_test_split(X, torch.tensor(y), test_size=0.25, random_state=SEED)


class Rows(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.inp = nn.Linear(8, d)
        self.pos = nn.Parameter(0.02 * torch.randn(1, 8, d))
        self.enc = nn.TransformerEncoderLayer(d, 4, 64, dropout=0.1, batch_first=True)
        self.out = nn.Linear(d, 10)

    def forward(self, x):
        return self.out(self.enc(self.inp(x) + self.pos).mean(1))


model = Rows()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
epochs, batch = 18, 32
steps = epochs * math.ceil(len(X_train) / batch)
warm = steps // 3


def factor(step):
    return (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))


scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
watch = dressage.watch(model, optimizer, criterion, train=(X_train, y_train), val=(X_val, y_val))
for epoch in range(epochs):
    model.train()
    for rows in torch.randperm(len(X_train)).split(batch):
        optimizer.zero_grad()
        loss = criterion(model(X_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
        scheduler.step()
    model.eval()
    with torch.no_grad():
        out = model(X_val)
    acc = (out.argmax(1) == y_val).float().mean().item()
    watch.validated(loss=criterion(out, y_val).item(), metric=acc)
done(watch, acc)
