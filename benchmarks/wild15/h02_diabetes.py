"""Predict how far diabetes will have progressed in a year, from ten measurements of 442 patients."""

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from kit import SEED, done, dressage


def prepare(seed, n_val=132):
    X, y = load_diabetes(return_X_y=True, scaled=False)
    order = np.random.default_rng(seed).permutation(len(y))
    tr, va = order[n_val:], order[:n_val]
    sx, sy = StandardScaler().fit(X[tr]), StandardScaler().fit(y[tr, None])
    as_tensor = lambda a: torch.tensor(a, dtype=torch.float32)
    return [
        as_tensor(a)
        for a in (sx.transform(X[tr]), sy.transform(y[tr, None]), sx.transform(X[va]), sy.transform(y[va, None]))
    ]


def r2(pred, target):
    return 1 - float(((pred - target) ** 2).mean() / ((target - target.mean()) ** 2).mean())


def train(config):
    x, y, vx, vy = prepare(SEED)
    model = torch.nn.Sequential(
        torch.nn.Linear(10, config["hidden"]),
        torch.nn.Tanh(),
        torch.nn.Dropout(config["dropout"]),
        torch.nn.Linear(config["hidden"], 1),
    )
    loss_fn = torch.nn.MSELoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=config["lr"], weight_decay=config["decay"])
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=config["epochs"])
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y), val=(vx, vy), metric=r2)
    for epoch in range(config["epochs"]):
        model.train()
        for rows in torch.randperm(len(x)).split(config["batch"]):
            loss = loss_fn(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
        schedule.step()
        model.eval()
        with torch.no_grad():
            out = model(vx)
        watch.validated(loss=loss_fn(out, vy).item(), metric=r2(out, vy))
    return watch, r2(out, vy)


done(*train({"hidden": 16, "dropout": 0.2, "lr": 1e-3, "decay": 0.1, "batch": 10, "epochs": 60}))
