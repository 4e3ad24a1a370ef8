"""Accelerated failure times of two hundred patients, Weibull, a third censored; whole set in each step."""

import numpy as np
import torch
import torch.nn as nn
from kit import SEED, done, dressage
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

X, y = load_diabetes(return_X_y=True)
rng = np.random.RandomState(5)
observed = rng.rand(len(y)) > 0.33
t = np.where(observed, 400 - y, (400 - y) * rng.uniform(0.4, 1, len(y))) / 100
target = torch.tensor(np.column_stack([t, observed]), dtype=torch.float32)
X = torch.tensor(X * len(X) ** 0.5, dtype=torch.float32)
x_tr, x_te, t_tr, t_te = train_test_split(X, target, train_size=200, random_state=SEED)


class WeibullAFT(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Linear(10, 1)
        self.log_shape = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return torch.cat([self.scale(x), self.log_shape.expand(len(x), 1)], 1)


def weibull_nll(out, target):
    log_scale, k = out[:, 0], out[:, 1].exp()
    time, event = target[:, 0], target[:, 1]
    z = k * (torch.log(time) - log_scale)
    return -(event * (torch.log(k) - torch.log(time) + z) - z.exp()).mean()


model = WeibullAFT()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
watch = dressage.watch(model, optimizer, weibull_nll, train=(x_tr, t_tr), val=(x_te, t_te))
for epoch in range(200):
    model.train()
    optimizer.zero_grad()
    loss = weibull_nll(model(x_tr), t_tr)
    loss.backward()
    optimizer.step()
    watch.step(loss)
model.eval()
with torch.no_grad():
    predicted = model(x_te)[:, 0]
time, event = t_te[:, 0], t_te[:, 1]
earlier = (time[:, None] < time[None]) & (event[:, None] == 1)
done(watch, (predicted[:, None] < predicted[None])[earlier].float().mean())
