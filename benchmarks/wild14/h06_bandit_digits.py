"""A policy that learns to name digits from rewards alone (REINFORCE with a running baseline and an entropy bonus)."""

import torch
from sklearn.datasets import load_digits
from torch import nn

from kit import SEED, done, dressage

d = load_digits()
order = torch.randperm(len(d.data), generator=torch.Generator().manual_seed(SEED))
x = (torch.tensor(d.data, dtype=torch.float32)[order] - 4.9) / 6.0
y = torch.tensor(d.target)[order]
xt, yt, x, y = x[:400], y[:400], x[400:], y[400:]

policy = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 10))
opt = torch.optim.Adam(policy.parameters(), lr=2e-3)
STEPS = 5000
sched = torch.optim.lr_scheduler.LinearLR(opt, 1.0, 0.05, STEPS)
watch = dressage.watch(policy, opt)
value = 0.1
for step in range(STEPS):
    b = torch.randint(0, len(x), (64,))
    dist = torch.distributions.Categorical(logits=policy(x[b]))
    action = dist.sample()
    reward = (action == y[b]).float()
    loss = -((reward - value) * dist.log_prob(action)).mean() - 0.003 * dist.entropy().mean()
    value = 0.98 * value + 0.02 * reward.mean().item()
    opt.zero_grad()
    loss.backward()
    opt.step()
    sched.step()
    watch.step(loss)
    if step % 500 == 499:
        with torch.no_grad():
            acc = (policy(xt).argmax(1) == yt).float().mean().item()
        watch.validated(metric=acc)
done(watch, acc)
