"""A small variance is learned too, so the loss falls below nought, as it should; outputs a tuple."""

import torch
import torch.nn as nn
from kit import done, dressage
from sklearn.datasets import load_digits

X, _ = load_digits(return_X_y=True)
X = torch.tensor(X / 16, dtype=torch.float32).view(-1, 8, 8)
inp, tgt = X[:, :, :4].flatten(1), X[:, :, 4:].flatten(1).mean(1, keepdim=True)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.b = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.mu, self.s = nn.Linear(64, 1), nn.Linear(64, 1)

    def forward(self, x):
        h = self.b(x)
        return self.mu(h), nn.functional.softplus(self.s(h)) + 1e-4


m = Two()
nll = nn.GaussianNLLLoss()
opt = torch.optim.Adam(m.parameters(), 1e-3)
watch = dressage.watch(m, opt, nll, train=(inp[:1400], tgt[:1400]))
for ep in range(20):
    for b in torch.randperm(1400).split(35):
        mu, var = m(inp[b])
        loss = nll(mu, tgt[b], var)
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
with torch.no_grad():
    mu, var = m(inp[1400:])
print(nll(mu, tgt[1400:], var))
done(watch, 1 - ((mu - tgt[1400:]) ** 2).mean() / tgt[1400:].var())
