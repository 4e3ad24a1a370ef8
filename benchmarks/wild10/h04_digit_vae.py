"""A variational autoencoder of MNIST with the loss summed over pixels and latents."""

import torch
import torch.nn.functional as F
from torch import nn

from kit import done, dressage, idx

x, _ = idx("mnist", "train", 8000)
v, _ = idx("mnist", "t10k", 1000)
x, v = [torch.from_numpy(a).float().flatten(1) / 255 for a in (x, v)]


class VAE(nn.Module):
    def __init__(self, latent=12, hidden=256):
        super().__init__()
        self.enc = nn.Linear(784, hidden)
        self.mu, self.logvar = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.dec = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, 784))

    def forward(self, x):
        h = F.relu(self.enc(x))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if self.training else mu
        return self.dec(z), mu, logvar


def elbo_loss(logits, mu, logvar, x):
    rec = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum() / len(x)
    return rec + kl


vae = VAE()
optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)
watch = dressage.watch(vae, optimizer)

for epoch in range(15):
    vae.train()
    for rows in torch.randperm(len(x)).split(100):
        batch = x[rows]
        optimizer.zero_grad()
        loss = elbo_loss(*vae(batch), batch)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    vae.eval()
    with torch.no_grad():
        val = elbo_loss(*vae(v), v).item()
    watch.validated(loss=val)
    if epoch % 3 == 2:
        print(epoch, loss.item(), val)

with torch.no_grad():
    rec = F.binary_cross_entropy_with_logits(vae(v)[0], v, reduction="sum").item() / len(v)

done(watch, -rec)
