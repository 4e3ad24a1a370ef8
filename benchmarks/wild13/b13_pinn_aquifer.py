"""Physics-informed net: how a pollutant spreads along 500 m of ground in 100 days (diffusion equation).

cause: data.unscaled_inputs, model.saturated_activation
"""

import math

import torch
from torch import nn

from kit import FIX, done, dressage

LENGTH, DAYS, D = 500.0, 100.0, 150.0


def exact(x, t):
    a, b = math.pi / LENGTH, 3 * math.pi / LENGTH
    return torch.sin(a * x) * torch.exp(-D * a * a * t) + 0.5 * torch.sin(b * x) * torch.exp(-D * b * b * t)


class Field(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2, width),
            nn.Tanh(),
            nn.Linear(width, width),
            nn.Tanh(),
            nn.Linear(width, width),
            nn.Tanh(),
            nn.Linear(width, 1),
        )

    def forward(self, x, t):
        if FIX:
            x, t = 2 * x / LENGTH - 1, 2 * t / DAYS - 1
        return self.net(torch.cat([x, t], 1))


def physics(model, n=128):
    x = (torch.rand(n, 1) * LENGTH).requires_grad_()
    t = (torch.rand(n, 1) * DAYS).requires_grad_()
    u = model(x, t)
    u_x, u_t = torch.autograd.grad(u.sum(), (x, t), create_graph=True)
    u_xx = torch.autograd.grad(u_x.sum(), x, create_graph=True)[0]
    return ((u_t - D * u_xx) * DAYS).pow(2).mean()


def conditions(model, n=64):
    x = torch.rand(n, 1) * LENGTH
    start = (model(x, torch.zeros(n, 1)) - exact(x, torch.zeros(n, 1))).pow(2).mean()
    t = torch.rand(n, 1) * DAYS
    ends = model(torch.zeros(n, 1), t).pow(2).mean() + model(torch.full((n, 1), LENGTH), t).pow(2).mean()
    return start + ends


model = Field()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1800, eta_min=1e-4)
watch = dressage.watch(model, optimizer)
for it in range(1800):
    optimizer.zero_grad()
    loss = 0.1 * physics(model) + 10 * conditions(model)
    loss.backward()
    optimizer.step()
    scheduler.step()
    watch.step(loss)

grid = torch.cartesian_prod(torch.linspace(0, LENGTH, 60), torch.linspace(0, DAYS, 40))
x, t = grid[:, :1], grid[:, 1:]
truth = exact(x, t)
with torch.no_grad():
    done(watch, 1 - ((model(x, t) - truth) ** 2).mean().item() / truth.var().item())
