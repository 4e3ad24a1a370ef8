"""Find one digit in fifty: a rare class, weighted, judged by average precision."""

import numpy as np
import torch
from kit import SEED, done, dressage, idx
from sklearn.metrics import average_precision_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("mnist", "train", 12000)
xt, yt = idx("mnist", "t10k", 5000)
WANTED = 5


def thin(x, y, share, rng):
    rare, rest = np.flatnonzero(y == WANTED), np.flatnonzero(y != WANTED)
    rare = rare[: int(share * len(rest))]
    keep = rng.permutation(np.concatenate([rare, rest]))
    return torch.tensor(x[keep]).float().view(-1, 1, 28, 28) / 255 - 0.13, torch.tensor(y[keep] == WANTED).float()


rng = np.random.RandomState(SEED)
x, y = thin(x, y, 0.02, rng)
xt, yt = thin(xt, yt, 0.02, rng)
loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)

model = nn.Sequential(
    nn.Conv2d(1, 12, 5, stride=2, padding=2),
    nn.ReLU(),
    nn.Conv2d(12, 24, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Dropout(0.2),
    nn.Linear(24 * 49, 1),
    nn.Flatten(0),
)
criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(5.0))
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)


def ap(output, target):
    return average_precision_score(target.numpy(), output.detach().numpy())


watch = dressage.watch(model, optimizer, criterion, train=loader, val=(xt, yt), metric=ap)

for epoch in range(6):
    model.train()
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    schedule.step()
    model.eval()
    with torch.no_grad():
        out = model(xt)
    watch.validated(loss=criterion(out, yt).item(), metric=ap(out, yt))
    print(epoch, criterion(out, yt).item(), ap(out, yt))

done(watch, ap(out, yt))
