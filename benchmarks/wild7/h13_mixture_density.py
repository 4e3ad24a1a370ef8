"""Inverse robot-arm angle: a mixture density network for a relation with several answers to each input."""

import math

import torch
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, Normal

from kit import done, dressage


def sample(n, g):
    t = torch.rand(n, 1, generator=g)
    x = t + 0.3 * torch.sin(2 * math.pi * t) + 0.05 * (2 * torch.rand(n, 1, generator=g) - 1)
    return 4 * (x - 0.5), 4 * (t - 0.5)


g = torch.Generator().manual_seed(21)
x_train, t_train = sample(3000, g)
x_test, t_test = sample(1500, g)


class MDN(nn.Module):
    def __init__(self, k=6):
        super().__init__()
        self.k = k
        self.net = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 3 * k))
        with torch.no_grad():
            self.net[-1].bias[k : 2 * k] = torch.linspace(-2, 2, k)

    def forward(self, x):
        logit, mu, raw = self.net(x).split(self.k, 1)
        return MixtureSameFamily(Categorical(logits=logit), Normal(mu, 0.02 + nn.functional.softplus(raw)))


model = MDN()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, total_steps=60 * 30)
watch = dressage.watch(model, optimizer)

for epoch in range(60):
    for b in torch.randperm(3000).split(100):
        optimizer.zero_grad()
        nll = -model(x_train[b]).log_prob(t_train[b].squeeze(1)).mean()
        nll.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        scheduler.step()
        watch.step(nll)
    with torch.no_grad():
        test_nll = -model(x_test).log_prob(t_test.squeeze(1)).mean().item()
    watch.validated(loss=test_nll)
    if epoch % 10 == 9:
        print(epoch + 1, round(nll.item(), 3), round(test_nll, 3))
done(watch, -test_nll)
