"""Rank the offers of a tender by how good they turn out, with the listwise softmax loss (ListNet).

cause: loss.wrong_sign
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage

rng = np.random.default_rng(77)
LISTS, OFFERS, COLS = 700, 10, 9
price = rng.lognormal(3, 0.4, (LISTS, OFFERS))
other = rng.normal(size=(LISTS, OFFERS, COLS - 1))
rel_price = np.log(price) - np.log(price).mean(1, keepdims=True)
quality = (
    -2 * rel_price + other[..., 0] + 0.8 * np.tanh(2 * other[..., 1]) * (rel_price < 0.2) - 0.4 * other[..., 2] ** 2
)
quality = quality + 0.5 * rng.normal(size=quality.shape)
X = torch.tensor(np.concatenate([rel_price[..., None] * 2.5, other], -1), dtype=torch.float32)
Y = torch.tensor(quality - quality.mean(1, keepdims=True), dtype=torch.float32)

train_dl = DataLoader(TensorDataset(X[:500], Y[:500]), batch_size=16, shuffle=True)
X_val, Y_val = X[500:], Y[500:]


class ListNetLoss(nn.Module):
    def __init__(self, temperature=0.7):
        super().__init__()
        self.temperature = temperature

    def forward(self, score, relevance):
        wanted = torch.softmax(relevance / self.temperature, dim=1)
        log_q = torch.log_softmax(score, dim=1)
        total = (wanted * log_q).sum(dim=1)
        return -total.mean() if FIX else total.mean()


class Scorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(COLS, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 1))

    def forward(self, x):
        return self.f(x).squeeze(-1)


def kendall(score, relevance):
    a = torch.sign(score.unsqueeze(2) - score.unsqueeze(1))
    b = torch.sign(relevance.unsqueeze(2) - relevance.unsqueeze(1))
    return (a * b).sum().item() / b.abs().sum().item()


model, criterion = Scorer(), ListNetLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=train_dl, val=(X_val, Y_val), metric=kendall)

for epoch in range(15):
    model.train()
    for xb, yb in train_dl:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        s = model(X_val)
        val_loss, tau = criterion(s, Y_val).item(), kendall(s, Y_val)
    watch.validated(loss=val_loss, metric=tau)
    print(f"{epoch}: {loss.item():.3f} {val_loss:.3f} tau {tau:.3f}")
done(watch, tau)
