"""Estimate the power of a gas turbine from its twelve sensors.

cause: data.all_positive_inputs
"""

from types import SimpleNamespace

import numpy as np
import torch
from sklearn.metrics import r2_score
from torch import nn

from kit import FIX, SEED, done, dressage

cfg = SimpleNamespace(rows=5000, batch=50, epochs=40, lr=0.003, hidden=(64, 32))


def read_sensors(rng, n):
    hidden = rng.normal(size=(n, 12))
    mix = np.random.default_rng(7).normal(size=(12, 12)) * 0.35 + np.eye(12)
    z = hidden @ mix
    z = z / z.std(0)
    centre = np.array([288, 1013, 61, 742, 12.6, 590, 34, 97, 401, 15, 220, 83.0])
    spread = np.array([25, 81, 6.6, 61, 1.05, 56, 3.9, 7.9, 37, 1.5, 24, 6.7])
    X = centre + spread * z
    power = (
        3 * z[:, 0]
        - 2 * z[:, 3]
        + 2.5 * np.tanh(z[:, 1] * z[:, 4])
        + 1.8 * np.abs(z[:, 7])
        + z[:, 9] * z[:, 10]
        + rng.normal(0, 0.7, n)
    )
    return X, 180 + 6 * power


def main():
    rng = np.random.default_rng(SEED)
    X, y = read_sensors(rng, cfg.rows)
    n_train = int(0.75 * cfg.rows)
    scale = X[:n_train].std(0)
    X = (X - X[:n_train].mean(0)) / scale if FIX else X / scale
    y = (y - y[:n_train].mean()) / y[:n_train].std()
    X, y = X.astype(np.float32), y.astype(np.float32)[:, None]
    X_train, y_train, X_val, y_val = X[:n_train], y[:n_train], X[n_train:], y[n_train:]

    model = nn.Sequential(
        nn.Linear(12, cfg.hidden[0]), nn.ReLU(), nn.Linear(*cfg.hidden), nn.ReLU(), nn.Linear(cfg.hidden[1], 1)
    )
    mse = nn.MSELoss()
    sgd = torch.optim.SGD(model.parameters(), lr=cfg.lr, momentum=0.9)

    def r2(output, target):
        return r2_score(np.asarray(target), np.asarray(output.detach()))

    watch = dressage.watch(model, sgd, mse, train=(X_train, y_train), val=(X_val, y_val), metric=r2)
    for epoch in range(cfg.epochs):
        model.train()
        order = rng.permutation(n_train)
        for i in range(0, n_train, cfg.batch):
            rows = order[i : i + cfg.batch]
            xb, yb = torch.from_numpy(X_train[rows]), torch.from_numpy(y_train[rows])
            loss = mse(model(xb), yb)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            watch.step(loss)
        model.eval()
        with torch.no_grad():
            out = model(torch.from_numpy(X_val))
            score = r2(out, y_val)
            watch.validated(loss=mse(out, torch.from_numpy(y_val)).item(), metric=score)
    done(watch, score)


main()
