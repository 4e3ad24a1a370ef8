"""Discrete-time survival: twelve hazards a patient, a quarter of them censored.

The score is the log-likelihood of a patient held out.
cause: loss.logits_as_probs
"""

import numpy as np
import torch
import torch.nn as nn
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

N_BINS = 12
X, y = load_diabetes(return_X_y=True)
X = (X * len(X) ** 0.5).astype(np.float32)
rng = np.random.RandomState(0)
time = 400 - y
event = rng.rand(len(y)) > 0.25
time = np.where(event, time, time * rng.uniform(0.3, 1, len(y)))
bins = np.searchsorted(np.quantile(time, np.linspace(0, 1, N_BINS + 1)[1:-1]), time)
target = torch.tensor(np.stack([bins, event], 1)).long()
X_tr, X_te, t_tr, t_te, time_tr, time_te = train_test_split(
    torch.tensor(X), target, time, test_size=140, random_state=SEED
)


class HazardNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, N_BINS))

    def forward(self, x):
        out = self.net(x)
        return torch.sigmoid(out) if FIX else out


def survival_nll(hazard, target, eps=1e-7):
    t, e = target[:, 0], target[:, 1].float()
    hazard = hazard.clamp(eps, 1 - eps)
    at = hazard.gather(1, t[:, None]).squeeze(1)
    before = (torch.arange(N_BINS)[None] < t[:, None]).float()
    log_before = (before * torch.log(1 - hazard)).sum(1)
    return -(log_before + e * torch.log(at) + (1 - e) * torch.log(1 - at)).mean()


def concordance(risk, time, event):
    earlier = (time[:, None] < time[None]) & (event[:, None] == 1)
    return ((risk[:, None] > risk[None]) & earlier).sum() / earlier.sum()


model = HazardNet()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
watch = dressage.watch(model, optimizer, survival_nll, train=(X_tr, t_tr), val=(X_te, t_te))
for epoch in range(60):
    model.train()
    for rows in torch.randperm(len(X_tr)).split(32):
        optimizer.zero_grad()
        loss = survival_nll(model(X_tr[rows]), t_tr[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    out = model(X_te)
    survival = (1 - out.clamp(1e-7, 1 - 1e-7)).log().cumsum(1).exp()
    test_loss = survival_nll(out, t_te).item()
print("concordance", concordance(-survival.sum(1).numpy(), time_te, t_te[:, 1].numpy()))
done(watch, -test_loss)
