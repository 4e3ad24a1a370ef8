"""A picture as a function of its coordinates, SGD at 1e-4 copied from an Adam recipe.

cause: optim.lr_too_low
"""

import numpy as np
import torch
import torch.nn as nn
from kit import FIX, done, dressage
from sklearn.datasets import load_sample_image

img = torch.tensor(load_sample_image("flower.jpg")[::8, ::8].astype(np.float32) / 255)
h, w, _ = img.shape
yy, xx = torch.meshgrid(torch.linspace(-1, 1, h), torch.linspace(-1, 1, w), indexing="ij")
coords, colours = torch.stack([xx, yy], -1).view(-1, 2), img.view(-1, 3)
B = torch.randn(2, 32) * 3


class Fourier(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))

    def forward(self, c):
        p = c @ B
        return self.net(torch.cat([p.sin(), p.cos()], -1))


f = Fourier()
mse = nn.MSELoss()
opt = torch.optim.Adam(f.parameters(), lr=2e-3) if FIX else torch.optim.SGD(f.parameters(), lr=1e-4)
watch = dressage.watch(f, opt, mse, train=(coords, colours))
for it in range(1000):
    b = torch.randint(len(coords), (512,))
    loss = mse(f(coords[b]), colours[b])
    opt.zero_grad()
    loss.backward()
    opt.step()
    watch.step(loss)
with torch.no_grad():
    psnr = -10 * torch.log10(mse(f(coords), colours))
done(watch, psnr)
