"""Digits with a hand-written heavy-ball optimiser; everything comes from a config.

cause: optim.momentum_too_high
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn

config = {
    "model": {"width": 64, "activation": "SiLU"},
    "optim": {"lr": 0.02, "momentum": 0.9 if FIX else 0.998, "weight_decay": 1e-5},
    "train": {"epochs": 8, "batch_size": 64, "rows": 4000},
}


class HeavyBall(torch.optim.Optimizer):
    def __init__(self, params, lr, momentum, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                grad = p.grad + group["weight_decay"] * p
                state = self.state[p]
                if "v" not in state:
                    state["v"] = torch.zeros_like(p)
                state["v"].mul_(group["momentum"]).add_(grad)
                p.sub_(state["v"], alpha=group["lr"])


def build(width, activation):
    act = getattr(nn, activation)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, width), act(), nn.Linear(width, width), act(), nn.Linear(width, 10)
    )


def load(part, n):
    images, labels = idx("fashion-mnist", part, n)
    return torch.tensor(images, dtype=torch.float32) / 255 - 0.286, torch.tensor(labels)


X, y = load("train", config["train"]["rows"])
Xv, yv = load("t10k", 1000)
net = build(**config["model"])
opt = HeavyBall(net.parameters(), **config["optim"])
loss_fn = nn.CrossEntropyLoss()
watch = dressage.watch(net, opt, loss_fn, train=(X, y), val=(Xv, yv))
for epoch in range(config["train"]["epochs"]):
    for rows in torch.randperm(len(X)).split(config["train"]["batch_size"]):
        opt.zero_grad()
        loss = loss_fn(net(X[rows]), y[rows])
        loss.backward()
        opt.step()
        watch.step(loss)
    print(epoch, loss.item())
with torch.no_grad():
    done(watch, (net(Xv).argmax(1) == yv).float().mean())
