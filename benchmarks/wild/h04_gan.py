"""A working GAN on two wine measurements; the discriminator is watched."""

import torch
import torch.nn as nn
from kit import done, dressage
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

real = torch.tensor(StandardScaler().fit_transform(load_wine(return_X_y=True)[0])[:, [0, 9]], dtype=torch.float32) + 1
G = nn.Sequential(nn.Linear(8, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 2))
D = nn.Sequential(
    nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Sigmoid()
)
opt_g, opt_d = [torch.optim.Adam(m.parameters(), lr=5e-4, betas=(0.5, 0.999)) for m in (G, D)]
bce = nn.BCELoss()
watch = dressage.watch(D, opt_d, bce)
for it in range(1500):
    x = real[torch.randint(len(real), (64,))]
    fake = G(torch.randn(64, 8))
    opt_d.zero_grad()
    loss_d = (bce(D(x), torch.ones(64, 1)) + bce(D(fake.detach()), torch.zeros(64, 1))) / 2
    loss_d.backward()
    opt_d.step()
    watch.step(loss_d)
    opt_g.zero_grad()
    bce(D(fake), torch.ones(64, 1)).backward()
    opt_g.step()
with torch.no_grad():
    f = G(torch.randn(1000, 8))
done(watch, -(f.mean(0) - real.mean(0)).norm() - (f.std(0) - real.std(0)).norm())
