"""Forecast the next hour of electricity demand from the last two days (notebook).

cause: loss.shape_broadcast
"""

# %%
import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from sklearn.metrics import r2_score
from torch import nn

# %% data: one and a half year of hourly demand
rng = np.random.default_rng(SEED)
t = np.arange(24 * 300)
daily = np.sin(2 * np.pi * t / 24) + 0.4 * np.sin(4 * np.pi * t / 24 + 1)
weekly = 0.6 * ((t // 24) % 7 < 5)
noise = np.zeros(len(t))
for i in range(1, len(t)):
    noise[i] = 0.8 * noise[i - 1] + 0.2 * rng.standard_normal()
demand = 50 + 10 * (daily + weekly + noise)

split = 24 * 240
mu, sd = demand[:split].mean(), demand[:split].std()
series = (demand - mu) / sd

# %% windows
W = 48


def windows(s):
    X = np.lib.stride_tricks.sliding_window_view(s[:-1], W)
    y = s[W:]
    return torch.tensor(X.copy(), dtype=torch.float32), torch.tensor(y.copy(), dtype=torch.float32)


X_train, y_train = windows(series[:split])
X_val, y_val = windows(series[split:])
if FIX:
    y_train, y_val = y_train.unsqueeze(1), y_val.unsqueeze(1)
X_train.shape, y_train.shape

# %% model
model = nn.Sequential(nn.Linear(W, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
loss_fn = nn.MSELoss()
watch = dressage.watch(model, opt, loss_fn, train=(X_train, y_train), val=(X_val, y_val))

# %% training
history = []
for epoch in range(12):
    model.train()
    perm = torch.randperm(len(X_train))
    for i in range(0, len(perm), 64):
        b = perm[i : i + 64]
        opt.zero_grad()
        loss = loss_fn(model(X_train[b]), y_train[b])
        loss.backward()
        opt.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        vl = loss_fn(model(X_val), y_val).item()
    history.append(vl)
    watch.validated(loss=vl)
print(history)

# %% how good is it?
with torch.no_grad():
    pred = model(X_val).squeeze(1).numpy()
done(watch, r2_score(y_val.numpy().ravel(), pred))
