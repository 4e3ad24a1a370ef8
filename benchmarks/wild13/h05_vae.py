"""Variational autoencoder of handwritten digits with the usual summed evidence bound."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

from kit import done, dressage, idx

train = torch.from_numpy(idx("mnist", "train", 6000)[0]).float().flatten(1) / 255
test = torch.from_numpy(idx("mnist", "t10k", 1000)[0]).float().flatten(1) / 255


class VAE(nn.Module):
    def __init__(self, latent=12):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(784, 200), nn.ReLU())
        self.mu, self.logvar = nn.Linear(200, latent), nn.Linear(200, latent)
        self.dec = nn.Sequential(nn.Linear(latent, 200), nn.ReLU(), nn.Linear(200, 784))

    def forward(self, x):
        h = self.enc(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if self.training else mu
        return self.dec(z), mu, logvar


def bound(logits, x, mu, logvar):
    rec = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1)
    return (rec + kl).mean()


vae = VAE()
optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 18, eta_min=1e-4)
watch = dressage.watch(vae, optimizer)
for epoch in range(18):
    vae.train()
    for x in DataLoader(train, batch_size=100, shuffle=True):
        out, mu, logvar = vae(x)
        loss = bound(out, x, mu, logvar)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    schedule.step()
    vae.eval()
    with torch.no_grad():
        out, mu, logvar = vae(test)
        watch.validated(loss=bound(out, test, mu, logvar).item())
done(watch, 1 - ((out.sigmoid() - test) ** 2).sum().item() / ((test - train.mean(0)) ** 2).sum().item())
