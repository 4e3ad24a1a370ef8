"""Flag insurance claims that need a second look; the table has categories and numbers.

cause: data.class_imbalance
"""

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score
from torch import nn

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(7 + SEED)
N = 9000
region, kind = rng.integers(0, 12, N), rng.integers(0, 6, N)
numbers = rng.normal(size=(N, 6)).astype(np.float32)
region_risk, kind_risk = rng.normal(0, 0.8, 12), rng.normal(0, 0.8, 6)
logit = (
    region_risk[region]
    + kind_risk[kind]
    + 1.0 * numbers[:, 0]
    - 0.8 * numbers[:, 1] * numbers[:, 2]
    + 0.7 * np.abs(numbers[:, 3])
)
noisy = logit + rng.logistic(0, 0.9, N)
suspicious = (noisy > np.quantile(noisy, 0.965)).astype(np.int64)

cats = torch.tensor(np.stack([region, kind], 1))
nums, labels = torch.tensor(numbers), torch.tensor(suspicious)
train_idx, val_idx, test_idx = np.split(rng.permutation(N), [6000, 7000])


class ClaimNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.region = nn.Embedding(12, 4)
        self.kind = nn.Embedding(6, 3)
        self.body = nn.Sequential(
            nn.Linear(13, 48), nn.ReLU(), nn.Dropout(0.3), nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 2)
        )

    def forward(self, c, x):
        return self.body(torch.cat([self.region(c[:, 0]), self.kind(c[:, 1]), x], 1))


model = ClaimNet()
weight = torch.tensor([1.0, 25.0]) if FIX else None
loss_fn = nn.CrossEntropyLoss(weight=weight)
opt = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
watch = dressage.watch(model, opt, loss_fn)

for epoch in range(10):
    model.train()
    for rows in np.array_split(rng.permutation(train_idx), 60):
        opt.zero_grad()
        loss = loss_fn(model(cats[rows], nums[rows]), labels[rows])
        loss.backward()
        opt.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(cats[val_idx], nums[val_idx])
        watch.validated(
            loss=loss_fn(out, labels[val_idx]).item(), metric=(out.argmax(1) == labels[val_idx]).float().mean().item()
        )

with torch.no_grad():
    pred = model(cats[test_idx], nums[test_idx]).argmax(1)
done(watch, balanced_accuracy_score(suspicious[test_idx], pred))
