"""Relative humidity from a weather station's columns, each by its largest value.

cause: data.all_positive_inputs data.unscaled_inputs
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from sklearn.metrics import r2_score
from torch import nn

rng = np.random.default_rng(SEED)
n = 1500
kelvin = 284 + 7 * rng.standard_normal(n)
dew = kelvin - np.abs(5 + 3 * rng.standard_normal(n))
hpa = 1013 + 8 * rng.standard_normal(n)
battery = 3.6 + 0.05 * rng.standard_normal(n)
humidity = 100 * np.exp(5300 * (1 / kelvin - 1 / dew)) + 0.02 * (hpa - 1013) * (battery - 3.6) + rng.standard_normal(n)
X = np.stack([kelvin, dew, hpa, battery], 1)
if FIX:
    X = (X - X[:1200].mean(0)) / X[:1200].std(0)
else:
    X = X / X[:1200].max(0)
y = (humidity - humidity[:1200].mean()) / humidity[:1200].std()
X, y = torch.tensor(X).float(), torch.tensor(y).float().unsqueeze(1)
train_x, train_y, val_x, val_y = X[:1200], y[:1200], X[1200:], y[1200:]

model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
mse = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
watch = dressage.watch(model, optimizer, mse, train=(train_x, train_y), val=(val_x, val_y))
for epoch in range(20):
    for rows in torch.randperm(1200).split(40):
        optimizer.zero_grad()
        loss = mse(model(train_x[rows]), train_y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, r2_score(val_y, model(val_x)))
