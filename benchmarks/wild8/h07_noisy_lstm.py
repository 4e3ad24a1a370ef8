"""Predict tomorrow's value of a very noisy autoregressive series; the best that can be had is an R2 of about .4."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import SEED, done, dressage

rng = np.random.default_rng(7 + SEED)
n = 6000
s = np.zeros(n)
e = rng.standard_t(5, size=n)
for t in range(3, n):
    s[t] = 0.45 * s[t - 1] - 0.2 * s[t - 2] + 0.35 * s[t - 3] + 0.6 * np.tanh(s[t - 1]) * (s[t - 2] > 0) + e[t]
split = 4800
s = (s - s[:split].mean()) / s[:split].std()
W = 12
X = torch.tensor(np.lib.stride_tricks.sliding_window_view(s[:-1], W).copy(), dtype=torch.float32).unsqueeze(-1)
y = torch.tensor(s[W:], dtype=torch.float32)
train = DataLoader(TensorDataset(X[: split - W], y[: split - W]), batch_size=64, shuffle=True)
valid = DataLoader(TensorDataset(X[split:], y[split:]), batch_size=400)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 24, batch_first=True)
        self.out = nn.Linear(24, 1)

    def forward(self, x):
        return self.out(self.lstm(x)[0][:, -1]).squeeze(-1)


net = Net()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 8 * len(train))
loss_fn = nn.MSELoss()
watch = dressage.watch(net, opt, loss_fn, train=train, val=valid)
for epoch in range(8):
    net.train()
    for a, b in train:
        opt.zero_grad()
        loss = loss_fn(net(a), b)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        sched.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        p, t = (torch.cat(q) for q in zip(*[(net(a), b) for a, b in valid]))
    r2 = (1 - ((p - t) ** 2).mean() / t.var()).item()
    watch.validated(loss=loss_fn(p, t).item(), metric=r2)
    print(epoch, round(loss.item(), 3), round(loss_fn(p, t).item(), 3), round(r2, 3))
done(watch, r2)
