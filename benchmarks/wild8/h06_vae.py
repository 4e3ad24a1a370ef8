"""Variational autoencoder of MNIST digits, loss summed over pixels as in the paper; judged by neighbours in the latent space."""

import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import nn
import torch.nn.functional as F

from kit import done, dressage, idx

x, y = idx("mnist", "train", 5000)
xt, yt = idx("mnist", "t10k", 1000)
x, xt = (torch.tensor(a.reshape(-1, 784)).float() / 255 for a in (x, xt))


class VAE(nn.Module):
    def __init__(self, latent=12):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(784, 256), nn.ReLU())
        self.mu, self.logvar = nn.Linear(256, latent), nn.Linear(256, latent)
        self.dec = nn.Sequential(nn.Linear(latent, 256), nn.ReLU(), nn.Linear(256, 784))

    def forward(self, x):
        h = self.enc(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if self.training else mu
        return self.dec(z), mu, logvar


def elbo(output, target):
    logits, mu, logvar = output
    rec = F.binary_cross_entropy_with_logits(logits, target, reduction="sum")
    kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum()
    return rec + kl


vae = VAE()
opt = torch.optim.Adam(vae.parameters(), lr=2e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 18)
watch = dressage.watch(vae, opt, elbo, train=(x, x), val=(xt, xt))
for epoch in range(18):
    vae.train()
    for rows in torch.randperm(len(x)).split(100):
        opt.zero_grad()
        loss = elbo(vae(x[rows]), x[rows])
        loss.backward()
        opt.step()
        watch.step(loss)
    sched.step()
    vae.eval()
    with torch.no_grad():
        val = elbo(vae(xt), xt).item() / len(xt)
    watch.validated(loss=val)
    print(f"epoch {epoch} train {loss.item() / len(rows):.1f} val {val:.1f}")
with torch.no_grad():
    a, b = vae(x)[1], vae(xt)[1]
done(watch, KNeighborsClassifier(5).fit(a.numpy(), y).score(b.numpy(), yt))
