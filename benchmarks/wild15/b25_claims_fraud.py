"""Flags fraudulent insurance claims: a tabular network with embeddings for the categorical columns.

cause: data.class_imbalance
"""

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage


def make_claims(n, rng):
    region = rng.integers(0, 12, n)
    product = rng.integers(0, 6, n)
    channel = rng.integers(0, 4, n)
    amount = rng.lognormal(7, 0.8, n)
    age = rng.uniform(18, 85, n)
    tenure = rng.exponential(4, n)
    previous = rng.poisson(0.6, n)
    delay = rng.gamma(2, 6, n)
    risk_region = np.array([0, 0.8, -0.4, 0.3, 1.2, -0.8, 0, 0.5, -0.2, 0.9, -1, 0.1])
    risk_product = np.array([0.4, -0.6, 1.0, 0, -0.3, 0.6])
    z = (
        1.1 * (np.log(amount) - 7)
        + risk_region[region]
        + risk_product[product] * (channel == 2) * 2
        + 0.7 * previous
        - 0.25 * tenure
        + 0.05 * delay
        - 0.02 * (age - 45)
        + rng.normal(0, 0.5, n)
    )
    y = (rng.uniform(size=n) < 1 / (1 + np.exp(-(z - 4.9)))).astype(np.float32)
    cats = np.stack([region, product, channel], 1)
    nums = np.stack([np.log(amount), age, tenure, previous, delay], 1)
    return cats, nums, y


class ClaimNet(nn.Module):
    def __init__(self, sizes, n_num):
        super().__init__()
        self.embs = nn.ModuleList([nn.Embedding(s, 4) for s in sizes])
        self.mlp = nn.Sequential(
            nn.Linear(4 * len(sizes) + n_num, 48),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(48, 24),
            nn.ReLU(),
            nn.Linear(24, 1),
        )
        self.k = len(sizes)

    def forward(self, x):
        cats = x[:, : self.k].long()
        e = [emb(cats[:, j]) for j, emb in enumerate(self.embs)]
        return self.mlp(torch.cat(e + [x[:, self.k :]], 1)).squeeze(1)


def bal_acc(logits, target):
    return balanced_accuracy_score(target.numpy(), (logits.detach() > 0).numpy().astype(int))


cats, nums, y = make_claims(12000, np.random.default_rng(7 + SEED))
n_train = 9000
nums = (nums - nums[:n_train].mean(0)) / nums[:n_train].std(0)
x = torch.tensor(np.concatenate([cats, nums], 1), dtype=torch.float32)
y = torch.from_numpy(y)
train_dl = DataLoader(TensorDataset(x[:n_train], y[:n_train]), batch_size=128, shuffle=True)
valid_dl = DataLoader(TensorDataset(x[n_train:], y[n_train:]), batch_size=1000)
print("fraud share", y[:n_train].mean().item())

pos_weight = (y[:n_train] == 0).sum() / y[:n_train].sum() if FIX else None
loss_fn = nn.BCEWithLogitsLoss(pos_weight=pos_weight)
model = ClaimNet([12, 6, 4], nums.shape[1])
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
watch = dressage.watch(model, optimizer, loss_fn, train=train_dl, val=valid_dl, metric=bal_acc)

for epoch in range(15):
    model.train()
    for xb, yb in train_dl:
        optimizer.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(xb) for xb, _ in valid_dl])
    target = y[n_train:]
    vloss, score = loss_fn(logits, target).item(), bal_acc(logits, target)
    print(
        f"{epoch:2d} loss {loss.item():.4f} val {vloss:.4f} balanced acc {score:.4f} "
        f"plain acc {((logits > 0) == (target > 0)).float().mean():.4f}"
    )
    watch.validated(loss=vloss, metric=score)

done(watch, score)
