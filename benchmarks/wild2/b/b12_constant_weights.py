"""Layers and optimiser written by hand from the paper; full batches of the digits; the network gives back a dict.

cause: model.symmetric_init
"""

import torch
import torch.nn.functional as F
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.25, random_state=SEED, stratify=y)
X_train, X_test = (torch.tensor(a, dtype=torch.float32) - 0.3 for a in (X_train, X_test))
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)


class Dense(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        limit = (6 / (n_in + n_out)) ** 0.5
        start = torch.empty(n_out, n_in).uniform_(-limit, limit) if FIX else torch.full((n_out, n_in), 1 / n_in)
        self.weight = nn.Parameter(start)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x):
        return x @ self.weight.T + self.bias


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = Dense(64, 48), Dense(48, 24), Dense(24, 10)

    def forward(self, x, labels=None):
        h = torch.tanh(self.first(x))
        h = torch.tanh(self.second(h))
        out = {"logits": self.last(h)}
        if labels is not None:
            out["loss"] = F.cross_entropy(out["logits"], labels)
        return out


class MySGD(torch.optim.Optimizer):
    def __init__(self, params, lr, mu=0.9):
        super().__init__(params, {"lr": lr, "mu": mu})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                buf = self.state[p].setdefault("velocity", torch.zeros_like(p))
                buf.mul_(group["mu"]).add_(p.grad)
                p.add_(buf, alpha=-group["lr"])


model = MLP()
optimizer = MySGD(model.parameters(), lr=0.1)
watch = dressage.watch(model, optimizer, train=(X_train, y_train), val=(X_test, y_test))
for step in range(500):
    optimizer.zero_grad()
    loss = model(X_train, y_train)["loss"]
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if step % 50 == 0:
        print(step, loss.item())
with torch.no_grad():
    done(watch, (model(X_test)["logits"].argmax(1) == y_test).float().mean())
