"""Diabetes with a mean and a variance for each patient; the network itself gives back the log-likelihood to train on.

cause: loss.wrong_sign
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_diabetes
from torch import nn
from torch.distributions import Normal
from torch.utils.data import DataLoader, TensorDataset

X, y = load_diabetes(return_X_y=True)
order = np.random.RandomState(SEED).permutation(len(y))
X, y = X[order] / X.std(0), y[order]
y = (y - y[:340].mean()) / y[:340].std()
X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


class Heteroscedastic(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(d, 24), nn.Tanh(), nn.Dropout(0.1))
        self.mean, self.raw_std = nn.Linear(24, 1), nn.Linear(24, 1)

    def dist(self, x):
        h = self.body(x)
        return Normal(self.mean(h).squeeze(1), nn.functional.softplus(self.raw_std(h)).squeeze(1) + 0.1)

    def forward(self, x, y):
        log_likelihood = self.dist(x).log_prob(y).mean()
        return -log_likelihood if FIX else log_likelihood


model = Heteroscedastic(X.shape[1])
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loader = DataLoader(TensorDataset(X[:340], y[:340]), batch_size=34, shuffle=True)
watch = dressage.watch(model, optimizer, train=loader, val=(X[340:], y[340:]))
for epoch in range(40):
    model.train()
    for xb, yb in loader:
        loss = model(xb, yb)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    mu = model.dist(X[340:]).mean
done(watch, max(-10.0, (1 - (mu - y[340:]).pow(2).mean() / y[340:].var()).item()))
