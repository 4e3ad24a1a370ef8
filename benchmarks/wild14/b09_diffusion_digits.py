"""Denoising diffusion of 8x8 digits: predict the noise of a noised picture.

cause: optim.schedule_collapsed
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

from kit import FIX, SEED, done, dressage

data = torch.tensor(load_digits().data, dtype=torch.float32) / 8 - 1
data = data[torch.randperm(len(data), generator=torch.Generator().manual_seed(SEED))]
train, held = data[:1500], data[1500:]
T = 100
beta = torch.linspace(1e-3, 0.06, T)
abar = torch.cumprod(1 - beta, 0)


class Denoiser(nn.Module):
    def __init__(self, width=256):
        super().__init__()
        self.time = nn.Embedding(T, 64)
        self.inp = nn.Linear(128, width)
        self.mid = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(2)
        )
        self.out = nn.Linear(width, 64)

    def forward(self, x, t):
        h = self.inp(torch.cat([x, self.time(t)], 1))
        for m in self.mid:
            h = h + m(h)
        return self.out(h)


def noised(x, gen=None):
    t = torch.randint(0, T, (len(x),), generator=gen)
    e = torch.randn(x.shape, generator=gen)
    a = abar[t][:, None]
    return a.sqrt() * x + (1 - a).sqrt() * e, t, e


model = Denoiser()
opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
decay = torch.optim.lr_scheduler.ExponentialLR(opt, gamma=0.97)
watch = dressage.watch(model, opt)
for epoch in range(60):
    for b in torch.randperm(len(train)).split(75):
        x, t, e = noised(train[b])
        loss = ((model(x, t) - e) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        if not FIX:
            decay.step()
        watch.step(loss)
    if FIX:
        decay.step()
    if epoch % 5 == 4:
        with torch.no_grad():
            x, t, e = noised(held.repeat(4, 1), torch.Generator().manual_seed(5))
            val = ((model(x, t) - e) ** 2).mean().item()
        watch.validated(loss=val)
done(watch, 1 - val)
