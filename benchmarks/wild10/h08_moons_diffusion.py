"""A denoising diffusion model of the two moons: predict the noise, then draw new points."""

import torch
from sklearn.datasets import make_moons
from torch import nn

from kit import SEED, done, dressage

STEPS = 60
points = torch.tensor(make_moons(4000, noise=0.05, random_state=80 + SEED)[0], dtype=torch.float32)
points = (points - points.mean(0)) / points.std(0)
data, held = points[:3000], points[3000:]
beta = torch.linspace(1e-3, 0.15, STEPS)
alpha = 1 - beta
bar = alpha.cumprod(0)


class Denoiser(nn.Module):
    def __init__(self, width=128):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(10, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, 2),
        )

    def forward(self, x, t):
        phase = t[:, None] / STEPS * 3.1416 * torch.tensor([0.5, 1.0, 2.0, 4.0])
        return self.net(torch.cat([x, phase.sin(), phase.cos()], 1))


def noise_loss(model, x):
    t = torch.randint(0, STEPS, (len(x),))
    eps = torch.randn_like(x)
    noisy = bar[t, None].sqrt() * x + (1 - bar[t, None]).sqrt() * eps
    return ((model(noisy, t) - eps) ** 2).mean()


@torch.no_grad()
def draw(model, n):
    x = torch.randn(n, 2)
    for t in reversed(range(STEPS)):
        eps = model(x, torch.full((n,), t))
        x = (x - beta[t] / (1 - bar[t]).sqrt() * eps) / alpha[t].sqrt()
        if t:
            x = x + beta[t].sqrt() * torch.randn_like(x)
    return x


def energy_distance(a, b):
    return (2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()).item()


model = Denoiser()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 60)
watch = dressage.watch(model, optimizer)

for epoch in range(60):
    for rows in torch.randperm(len(data)).split(128):
        loss = noise_loss(model, data[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    if epoch % 5 == 4:
        with torch.no_grad():
            val = noise_loss(model, held.repeat(5, 1)).item()
        watch.validated(loss=val)
        print(epoch, val)

done(watch, -energy_distance(draw(model, 1000), held))
