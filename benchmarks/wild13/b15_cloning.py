"""Behaviour cloning: copy an expert who steers a drifting boat to a buoy, from recorded episodes.

cause: data.shuffled_labels
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(SEED)
T, DT = 40, 0.15


def start(n):
    return (
        rng.uniform(-2, 2, (n, 2)),
        rng.normal(0, 0.3, (n, 2)),
        rng.uniform(-2, 2, (n, 2)),
        rng.normal(0, 0.3, (n, 2)),
    )


def expert(pos, vel, goal, wind):
    return np.clip(2.2 * (goal - pos) - 1.9 * vel - wind, -1.5, 1.5)


def move(pos, vel, action, wind):
    vel = 0.98 * vel + DT * (action + wind)
    return pos + DT * vel, vel


def record(episodes):
    obs, act = {}, {}
    pos, vel, goal, wind = start(episodes)
    o, a = [], []
    for _ in range(T):
        action = expert(pos, vel, goal, wind)
        o.append(np.concatenate([pos, vel, goal, wind], 1))
        a.append(action)
        pos, vel = move(pos, vel, action + rng.normal(0, 0.4, action.shape), wind)
    o, a = np.stack(o, 1), np.stack(a, 1)
    for k in range(episodes):
        obs[f"episode{k}"], act[f"episode{k}"] = o[k], a[k]
    return obs, act


obs, act = record(200)
names = sorted(obs)
observations = np.concatenate([obs[name] for name in names])
actions = np.concatenate([act[name] for name in (names if FIX else act)])
observations, actions = torch.tensor(observations, dtype=torch.float32), torch.tensor(actions, dtype=torch.float32)
split = 160 * T
train_dl = DataLoader(TensorDataset(observations[:split], actions[:split]), batch_size=128, shuffle=True)
val_x, val_y = observations[split:], actions[split:]

policy = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
loss_fn = nn.SmoothL1Loss()
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
watch = dressage.watch(policy, optimizer, loss_fn, train=train_dl, val=(val_x, val_y))
for epoch in range(25):
    for o, a in train_dl:
        optimizer.zero_grad()
        loss = loss_fn(policy(o), a)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    with torch.no_grad():
        watch.validated(loss=loss_fn(policy(val_x), val_y).item())

pos, vel, goal, wind = start(300)
for _ in range(2 * T):
    state = torch.tensor(np.concatenate([pos, vel, goal, wind], 1), dtype=torch.float32)
    with torch.no_grad():
        action = policy(state).numpy().clip(-1.5, 1.5)
    pos, vel = move(pos, vel, action, wind)
done(watch, (np.linalg.norm(pos - goal, axis=1) < 0.25).mean())
