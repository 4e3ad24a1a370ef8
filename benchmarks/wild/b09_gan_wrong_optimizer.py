"""A GAN of 2-d points from wine measurements; the generator's optimiser was given the discriminator's parameters.

cause: optim.frozen_params
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

real = torch.tensor(StandardScaler().fit_transform(load_wine(return_X_y=True)[0])[:, [0, 9]], dtype=torch.float32) + 3
G = nn.Sequential(nn.Linear(8, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 2))
D = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
opt_g = torch.optim.Adam((G if FIX else D).parameters(), lr=1e-3, betas=(0.5, 0.999))
opt_d = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.999))
bce = nn.BCEWithLogitsLoss()
watch = dressage.watch(G, opt_g)
for it in range(1200):
    x = real[torch.randint(len(real), (64,))]
    fake = G(torch.randn(64, 8))
    loss_d = bce(D(x), torch.ones(64, 1)) + bce(D(fake.detach()), torch.zeros(64, 1))
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    loss_g = bce(D(fake), torch.ones(64, 1))
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    watch.step(loss_g)
with torch.no_grad():
    f = G(torch.randn(1000, 8))
done(watch, -(f.mean(0) - real.mean(0)).norm() - (f.std(0) - real.std(0)).norm())
