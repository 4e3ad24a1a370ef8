"""Say which digits stand on a slip that carries three of them.

cause: model.dead_relu
"""

import math

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage, idx


def slips(images, labels, n, rng):
    small = images[:, ::2, ::2].astype(np.float32) / 255
    pick = rng.integers(0, len(images), (n, 3))
    canvas = np.concatenate([small[pick[:, k]] for k in range(3)], axis=2)
    present = np.zeros((n, 10), np.float32)
    for k in range(3):
        present[np.arange(n), labels[pick[:, k]]] = 1
    return torch.from_numpy(canvas)[:, None], torch.from_numpy(present)


class SlipNet(nn.Module):
    def __init__(self, prior=0.03):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.fc = nn.Linear(32 * 3 * 10, 64)
        self.out = nn.Linear(64, 10)
        # start from rare positives, as the detection papers do
        bias = -math.log((1 - prior) / prior)
        for m in self.modules() if not FIX else [self.out]:
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                nn.init.constant_(m.bias, bias)

    def forward(self, x):
        return self.out(torch.relu(self.fc(self.features(x))))


def label_f1(output, target):
    said = output > 0
    true = target > 0.5
    tp = (said & true).sum().item()
    return 2 * tp / max(1, said.sum().item() + true.sum().item())


rng = np.random.default_rng(SEED)
x, y = slips(*idx("mnist", "train", 8000), 5000, rng)
vx, vy = slips(*idx("mnist", "t10k", 2000), 1000, rng)
mean, std = x.mean(), x.std()
train_set = TensorDataset((x - mean) / std, y)
val_set = TensorDataset((vx - mean) / std, vy)
train_loader = DataLoader(train_set, 50, shuffle=True)
val_loader = DataLoader(val_set, 250)

model = SlipNet()
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), 2e-3)
watch = dressage.watch(model, optimizer, loss_fn, train=train_loader, val=val_loader, metric=label_f1)
for epoch in range(7):
    model.train()
    for xb, yb in train_loader:
        loss = loss_fn(model(xb), yb)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = torch.cat([model(xb) for xb, _ in val_loader])
    f1 = label_f1(out, vy)
    watch.validated(loss=loss_fn(out, vy).item(), metric=f1)
done(watch, f1)
