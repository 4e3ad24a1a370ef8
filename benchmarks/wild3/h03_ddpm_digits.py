"""A little diffusion model of 8x8 digits: predict the noise that was added at a random time."""

import torch
import torch.nn as nn
from kit import done, dressage
from sklearn.datasets import load_digits

x = torch.tensor(load_digits().data).float() / 8 - 1
x_train, x_val = x[:1500], x[1500:]
T = 100
betas = torch.linspace(1e-4, 0.05, T)
alpha_bar = torch.cumprod(1 - betas, 0)


class Denoiser(nn.Module):
    def __init__(self, width=128):
        super().__init__()
        self.time = nn.Embedding(T, 32)
        self.net = nn.Sequential(
            nn.Linear(64 + 32, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 64)
        )

    def forward(self, noisy, t):
        return self.net(torch.cat([noisy, self.time(t)], 1))


def add_noise(x0, t, noise):
    a = alpha_bar[t][:, None]
    return a.sqrt() * x0 + (1 - a).sqrt() * noise


model = Denoiser()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, nn.MSELoss())
for it in range(1500):
    x0 = x_train[torch.randint(0, len(x_train), (16,))]
    t = torch.randint(0, T, (16,))
    noise = torch.randn_like(x0)
    loss = (model(add_noise(x0, t, noise), t) - noise).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
with torch.no_grad():
    total = 0.0
    for t in range(0, T, 5):
        t = torch.full((len(x_val),), t)
        noise = torch.randn_like(x_val)
        total += (model(add_noise(x_val, t, noise), t) - noise).pow(2).mean().item() / 20
done(watch, 1 - total)
