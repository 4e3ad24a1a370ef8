"""Detects the operating state of a pump from one minute of sensor readings with an LSTM.

cause: data.unscaled_inputs
"""

import numpy as np
import torch
from torch import nn

from kit import FIX, SEED, done, dressage

STATES = ["normal", "worn bearing", "blocked", "cavitation"]


def record(state, rng, T=30):
    t = np.arange(T)
    speed = 24.7 + rng.normal(0, 0.4) + rng.normal(0, 0.1, T) - (0.2 if state == 2 else 0)
    pressure = 43 + rng.normal(0, 9) + 3 * np.sin(t / 5 + rng.uniform(0, 6)) + rng.normal(0, 2.5, T)
    temperature = 41 + rng.normal(0, 2) + 0.02 * t * rng.normal(1, 1) + rng.normal(0, 0.3, T)
    vibration = 0.35 + 0.05 * np.abs(rng.normal(0, 1, T))
    current = 8.2 + rng.normal(0, 0.3) + rng.normal(0, 0.15, T)
    if state == 1:
        temperature = temperature + 0.06 * t
        vibration = vibration + 0.06 * np.abs(np.sin(t * rng.uniform(0.7, 1.1)))
    elif state == 2:
        current = current + 0.025 * t
        pressure = pressure + 0.25 * t
    elif state == 3:
        bursts = rng.uniform(size=T) < 0.2
        vibration = vibration + bursts * rng.uniform(0.1, 0.25, T)
        pressure = pressure - bursts * 5
    return np.stack([speed, pressure, temperature, vibration, current], 1)


class StateLSTM(nn.Module):
    def __init__(self, n_in=5, hidden=40, n_out=4):
        super().__init__()
        self.lstm = nn.LSTM(n_in, hidden, batch_first=True)
        self.out = nn.Linear(hidden, n_out)

    def forward(self, x):
        h, _ = self.lstm(x)
        return self.out(h[:, -1])


def accuracy(out, y):
    return (out.argmax(1) == y).float().mean().item()


rng = np.random.default_rng(SEED + 11)
labels = rng.integers(0, 4, 3000)
data = np.stack([record(s, rng) for s in labels])
n = 2400
if FIX:
    m, s = data[:n].mean((0, 1)), data[:n].std((0, 1))
    data = (data - m) / s
X, Y = torch.tensor(data, dtype=torch.float32), torch.tensor(labels)

model = StateLSTM()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loss_fn = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer, loss_fn, train=(X[:n], Y[:n]))

for epoch in range(16):
    model.train()
    order = np.random.permutation(n)
    for start in range(0, n, 48):
        rows = order[start : start + 48]
        optimizer.zero_grad()
        loss = loss_fn(model(X[rows]), Y[rows])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(X[n:])
    val_loss, val_acc = loss_fn(out, Y[n:]).item(), accuracy(out, Y[n:])
    print(f"epoch {epoch:2d}  train {loss.item():.3f}  val {val_loss:.3f}  acc {val_acc:.3f}")
    watch.validated(loss=val_loss)

done(watch, val_acc)
