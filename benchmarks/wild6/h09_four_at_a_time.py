"""Wine with batches of four rows and plain SGD."""

import torch
import torch.nn as nn
from kit import SEED, done, dressage
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

X, y = load_wine(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.3, random_state=SEED, stratify=y)
scaler = StandardScaler().fit(X_train)
train_ds = TensorDataset(torch.tensor(scaler.transform(X_train), dtype=torch.float32), torch.tensor(y_train))
val_ds = TensorDataset(torch.tensor(scaler.transform(X_val), dtype=torch.float32), torch.tensor(y_val))
train_dl = DataLoader(train_ds, batch_size=4, shuffle=True)
val_dl = DataLoader(val_ds, batch_size=54)
model = nn.Sequential(nn.Linear(13, 24), nn.LayerNorm(24), nn.Tanh(), nn.Linear(24, 3))
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.5)
watch = dressage.watch(model, opt, loss_fn, train=train_dl, val=val_dl)
for epoch in range(12):
    model.train()
    for xb, yb in train_dl:
        opt.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        opt.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        for xb, yb in val_dl:
            out = model(xb)
            acc = (out.argmax(1) == yb).float().mean().item()
            watch.validated(loss=loss_fn(out, yb).item(), metric=acc)
done(watch, acc)
