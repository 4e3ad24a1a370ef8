"""Notebook: predict the garment number of a Fashion-MNIST picture.

cause: loss.mse_for_classes
"""

# %% imports
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split

from kit import FIX, SEED, done, dressage, idx

# %% data
imgs, labels = idx("fashion-mnist", "train", 6000)
X = torch.tensor(imgs).float().div(255).sub(0.5).div(0.5).unsqueeze(1)
if FIX:
    Y = torch.tensor(labels)
else:
    Y = torch.tensor(labels).float().unsqueeze(1)
ds = TensorDataset(X, Y)
train_ds, val_ds = random_split(ds, [5000, 1000], generator=torch.Generator().manual_seed(SEED))
train_loader = DataLoader(train_ds, batch_size=50, shuffle=True)
val_loader = DataLoader(val_ds, batch_size=200)

# %% model
model = nn.Sequential(
    nn.Conv2d(1, 12, 5, padding=2),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(12, 24, 5, padding=2),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(24 * 49, 64),
    nn.ReLU(),
    nn.Linear(64, 10 if FIX else 1),
)
loss_fn = nn.CrossEntropyLoss() if FIX else nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)


def accuracy(out, y):
    if FIX:
        return (out.argmax(1) == y).float().mean().item()
    return (out.round() == y).float().mean().item()


watch = dressage.watch(model, optimizer, loss_fn, train=train_loader, val=val_loader, metric=accuracy)

# %% training
history = []
for epoch in range(4):
    model.train()
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        outs = [(model(xb), yb) for xb, yb in val_loader]
    out, yy = torch.cat([o for o, _ in outs]), torch.cat([t for _, t in outs])
    history.append((loss_fn(out, yy).item(), accuracy(out, yy)))
    watch.validated(loss=history[-1][0], metric=history[-1][1])
    print(epoch, history[-1])

# %% result
done(watch, history[-1][1])
