"""Kaggle script: digits from a csv with some damaged lines, which are thrown out before training.

cause: data.shuffled_labels
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage, idx

rng = np.random.default_rng(SEED)
pixels, digit = idx("mnist", "train", 5000)
table = pixels.reshape(len(pixels), -1).astype(np.float32)
damaged = rng.choice(len(table), 60, replace=False)  # as they come from the scanner
table[damaged, rng.integers(0, 700)] = np.nan

# --- cleaning
ok = ~np.isnan(table).any(axis=1)
X = table[ok] / 255.0
y = digit[ok] if FIX else digit[: len(X)]
print("dropped", (~ok).sum(), "rows,", len(X), "left")

cut = int(len(X) * 0.8)
perm = rng.permutation(len(X))
tr, va = perm[:cut], perm[cut:]
train_dl = DataLoader(TensorDataset(torch.tensor(X[tr]), torch.tensor(y[tr])), batch_size=64, shuffle=True)
valid_dl = DataLoader(TensorDataset(torch.tensor(X[va]), torch.tensor(y[va])), batch_size=256)

model = nn.Sequential(
    nn.Linear(784, 256),
    nn.BatchNorm1d(256),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(256, 128),
    nn.ReLU(),
    nn.Linear(128, 10),
)
loss_func = nn.CrossEntropyLoss()
opt = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
watch = dressage.watch(
    model, opt, loss_func, train=train_dl, val=valid_dl, metric=lambda p, t: (p.argmax(1) == t).float().mean().item()
)

for epoch in range(10):
    model.train()
    for xb, yb in train_dl:
        loss = loss_func(model(xb), yb)
        loss.backward()
        opt.step()
        opt.zero_grad()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        preds = torch.cat([model(xb) for xb, _ in valid_dl])
        target = torch.tensor(y[va])
        valid_loss = loss_func(preds, target).item()
        valid_acc = (preds.argmax(1) == target).float().mean().item()
    watch.validated(loss=valid_loss, metric=valid_acc)
    print(epoch, f"{loss.item():.4f} {valid_loss:.4f} {valid_acc:.4f}")

# --- submission
xt, yt = idx("mnist", "t10k", 1500)
with torch.no_grad():
    sub = model(torch.tensor(xt.reshape(len(xt), -1) / 255.0, dtype=torch.float32)).argmax(1).numpy()
done(watch, (sub == yt).mean())
