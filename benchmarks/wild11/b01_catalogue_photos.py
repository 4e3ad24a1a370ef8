"""Sort shop photos into ten kinds of clothing, labelled by forty workers.

cause: data.label_noise
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage, idx

images, truth = idx("fashion-mnist", "train", 3600)
x = torch.tensor(images[:, None] / 255.0, dtype=torch.float32)
x = (x - 0.286) / 0.353


def annotate(labels, low):
    """Each photo is labelled by one worker."""
    r = np.random.RandomState(SEED + 7)
    worker = r.randint(0, 40, len(labels))
    quick = worker < low
    guess = r.randint(0, 10, len(labels))
    return np.where(quick, guess, labels)


labels = torch.tensor(annotate(truth, low=0 if FIX else 16))
train_ds = TensorDataset(x[:3000], labels[:3000])
valid_ds = TensorDataset(x[3000:], labels[3000:])
train_dl = DataLoader(train_ds, batch_size=64, shuffle=True)
valid_dl = DataLoader(valid_ds, batch_size=256)

model = nn.Sequential(
    nn.Conv2d(1, 16, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(32 * 49, 128),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(128, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)


def accuracy(out, y):
    return (out.argmax(1) == y).float().mean().item()


watch = dressage.watch(model, optimizer, criterion, train=train_dl, val=valid_dl, metric=accuracy)
for epoch in range(15):
    model.train()
    for xb, yb in train_dl:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        outs = torch.cat([model(xb) for xb, _ in valid_dl])
        yv = torch.cat([yb for _, yb in valid_dl])
    watch.validated(loss=criterion(outs, yv).item(), metric=accuracy(outs, yv))

tx, ty = idx("fashion-mnist", "t10k", 2000)
tx = (torch.tensor(tx[:, None] / 255.0, dtype=torch.float32) - 0.286) / 0.353
with torch.no_grad():
    score = accuracy(model(tx), torch.tensor(ty))
done(watch, score)
