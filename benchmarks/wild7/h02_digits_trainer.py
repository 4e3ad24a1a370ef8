"""Recognise 8x8 digits with a small MLP and a reusable Trainer class."""

import copy

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage


class Trainer:
    def __init__(self, model, lr=1e-3, patience=8):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.02)
        self.patience = patience
        self.best, self.best_state, self.wait = np.inf, None, 0
        self.watch = dressage.watch(model, self.optimizer, F.cross_entropy)

    def train_epoch(self, loader):
        self.model.train()
        total = 0.0
        for xb, yb in loader:
            loss = F.cross_entropy(self.model(xb), yb)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.watch.step(loss)
            total += loss.item() * len(yb)
        return total / len(loader.dataset)

    @torch.no_grad()
    def evaluate(self, x, y):
        self.model.eval()
        out = self.model(x)
        return F.cross_entropy(out, y).item(), (out.argmax(1) == y).float().mean().item()

    def fit(self, loader, x_val, y_val, epochs):
        for epoch in range(epochs):
            train_loss = self.train_epoch(loader)
            val_loss, val_acc = self.evaluate(x_val, y_val)
            self.watch.validated(loss=val_loss, metric=val_acc)
            if epoch % 5 == 0:
                print(epoch, round(train_loss, 4), round(val_loss, 4), round(val_acc, 4))
            if val_loss < self.best:
                self.best, self.best_state, self.wait = val_loss, copy.deepcopy(self.model.state_dict()), 0
            else:
                self.wait += 1
                if self.wait >= self.patience:
                    break
        self.model.load_state_dict(self.best_state)


X, y = load_digits(return_X_y=True)
X = (X / 16.0).astype(np.float32)
X_tr, X_te, y_tr, y_te = train_test_split(X, y, test_size=0.25, stratify=y, random_state=3)
X_tr, X_va, y_tr, y_va = train_test_split(X_tr, y_tr, test_size=0.2, stratify=y_tr, random_state=3)
mean = X_tr.mean(0)
t = lambda a: torch.from_numpy(a - mean)

model = nn.Sequential(
    nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 10)
)
trainer = Trainer(model, lr=2e-3)
loader = DataLoader(TensorDataset(t(X_tr), torch.from_numpy(y_tr)), batch_size=32, shuffle=True)
trainer.fit(loader, t(X_va), torch.from_numpy(y_va), epochs=60)
_, acc = trainer.evaluate(t(X_te), torch.from_numpy(y_te))
done(trainer.watch, acc)
