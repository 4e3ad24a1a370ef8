"""Predicts the progression of diabetes after a year; the sex column goes through an embedding.

cause: eval.overfit
"""

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, Dataset

from kit import FIX, done, dressage


class Patients(Dataset):
    def __init__(self, x, y):
        self.x = torch.tensor(x, dtype=torch.float32)
        self.y = torch.tensor(y, dtype=torch.float32).unsqueeze(1)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class Net(nn.Module):
    def __init__(self, width, p):
        super().__init__()
        self.sex = nn.Embedding(2, 2)
        self.layers = nn.Sequential(
            nn.Linear(11, width),
            nn.ReLU(),
            nn.Dropout(p),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Dropout(p),
            nn.Linear(width, 1),
        )

    def forward(self, x):
        return self.layers(torch.cat([self.sex(x[:, 0].long()), x[:, 1:]], 1))


def score_r2(pred, y):
    return 1 - float(((pred - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())


raw = load_diabetes(scaled=False)
sex, rest = raw.data[:, 1:2] - 1, np.delete(raw.data, 1, axis=1)
sex_tr, sex_va, x_tr, x_va, y_tr, y_va = train_test_split(sex, rest, raw.target, test_size=0.3, random_state=3)
m, s = x_tr.mean(0), x_tr.std(0)
ym, ys = y_tr.mean(), y_tr.std()
train_set = Patients(np.hstack([sex_tr, (x_tr - m) / s]), (y_tr - ym) / ys)
val_set = Patients(np.hstack([sex_va, (x_va - m) / s]), (y_va - ym) / ys)
train_loader = DataLoader(train_set, batch_size=16, shuffle=True)
val_loader = DataLoader(val_set, batch_size=len(val_set))

model = Net(width=16 if FIX else 64, p=0.2 if FIX else 0.0)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1 if FIX else 0.0)
loss_fn = nn.MSELoss()
watch = dressage.watch(model, optimizer, loss_fn, train=train_loader, val=val_loader, metric=score_r2)

epochs = 50 if FIX else 80
for epoch in range(epochs):
    model.train()
    train_losses = []
    for x, y in train_loader:
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
        train_losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        x, y = next(iter(val_loader))
        pred = model(x)
        val_loss, r2 = loss_fn(pred, y).item(), score_r2(pred, y)
    watch.validated(loss=val_loss, metric=r2)
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: train mse {np.mean(train_losses):.3f}, val mse {val_loss:.3f}, R2 {r2:.3f}")

done(watch, r2)
