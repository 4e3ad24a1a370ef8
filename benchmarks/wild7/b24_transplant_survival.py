"""Months until a transplanted kidney fails: discrete-time hazards from blood values (made-up register).

cause: data.unscaled_inputs
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage

rng = np.random.default_rng(23)
N, BINS = 3000, 12
age = rng.normal(52, 12, N)
creatinine = rng.lognormal(np.log(130), 0.35, N)
haemoglobin = rng.normal(12.2, 1.6, N)
platelets = rng.normal(240, 60, N)
mismatch = rng.integers(0, 7, N)
cold_minutes = rng.normal(780, 240, N)
risk = (
    0.5 * (age - 52) / 12
    + 1.3 * np.log(creatinine / 130) / 0.35 * 0.6
    - 0.4 * (haemoglobin - 12.2) / 1.6
    + 0.25 * (mismatch - 3)
    + 0.5 * (cold_minutes - 780) / 240 * (mismatch > 3)
)
fail = rng.exponential(14 * np.exp(-risk))
leave = rng.uniform(4, 24, N)
month, event = np.minimum(fail, leave), fail <= leave
table = np.column_stack([age, creatinine, haemoglobin, platelets, mismatch, cold_minutes])
n_train = 2200
if FIX:
    table = (table - table[:n_train].mean(0)) / table[:n_train].std(0)
X = torch.tensor(table, dtype=torch.float32)
bin_of = torch.tensor(np.minimum(month / 1.5, BINS - 1).astype(int))
E = torch.tensor(event & (month < 1.5 * BINS))


class HazardNet(nn.Module):
    """One logit for each span of six weeks: the chance to fail in it, given that the kidney lasted so long."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, BINS)
        )

    def forward(self, x):
        return self.net(x)


def hazard_nll(logits, bins, event):
    step = torch.arange(BINS)
    at_risk = (step < bins[:, None]) | ((step == bins[:, None]) & event[:, None])
    died = (step == bins[:, None]) & event[:, None]
    bce = F.binary_cross_entropy_with_logits(logits, died.float(), reduction="none")
    return (bce * at_risk).sum(1).mean()


def c_index(logits, month, event):
    expected = torch.cumprod(1 - torch.sigmoid(logits), 1).sum(1)
    month = torch.tensor(month)
    pairs = (month[:, None] < month[None]) & torch.tensor(event)[:, None]
    d = expected[None] - expected[:, None]
    return ((d > 0).float() + 0.5 * (d == 0).float())[pairs].mean().item()


loader = DataLoader(TensorDataset(X[:n_train], bin_of[:n_train], E[:n_train]), batch_size=50, shuffle=True)
model = HazardNet()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, train=loader)

for epoch in range(18):
    model.train()
    for xb, bb, eb in loader:
        optimizer.zero_grad()
        loss = hazard_nll(model(xb), bb, eb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(X[n_train:])
        vl = hazard_nll(out, bin_of[n_train:], E[n_train:]).item()
    c = c_index(out, month[n_train:], event[n_train:])
    watch.validated(loss=vl, metric=c)
    print(f"{epoch} {loss.item():.3f} {vl:.3f} c {c:.4f}")
pairs = (month[n_train:, None] < month[None, n_train:]) & event[n_train:, None]
r = risk[n_train:]
print("true risk", (r[:, None] > r[None])[pairs].mean())
done(watch, c)
