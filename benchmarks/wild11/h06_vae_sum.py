"""A variational autoencoder of digits with the classical summed loss."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage, idx

x, _ = idx("mnist", "train", 5000)
xt, _ = idx("mnist", "t10k", 1000)
x, xt = torch.tensor(x).float().flatten(1) / 255, torch.tensor(xt).float().flatten(1) / 255
loader = DataLoader(TensorDataset(x), batch_size=64, shuffle=True)


class VAE(nn.Module):
    def __init__(self, latent=12, width=256):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(784, width), nn.ReLU())
        self.mu, self.logvar = nn.Linear(width, latent), nn.Linear(width, latent)
        self.dec = nn.Sequential(nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, 784))

    def forward(self, x):
        h = self.enc(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if self.training else mu
        return self.dec(z), mu, logvar


def elbo(out, x):
    logits, mu, logvar = out
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum()
    return (bce + kl) / len(x)


vae = VAE()
optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
watch = dressage.watch(vae, optimizer)
for epoch in range(20):
    vae.train()
    for (xb,) in loader:
        loss = elbo(vae(xb), xb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    vae.eval()
    with torch.no_grad():
        out = vae(xt)
        watch.validated(loss=elbo(out, xt).item())

recon = torch.sigmoid(out[0])
done(watch, 1 - ((recon - xt) ** 2).mean().item() / xt.var(0).mean().item())
