"""Variational autoencoder of digits with the summed Bernoulli likelihood and a KL warm-up."""

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from torch import nn

digits, _ = idx("mnist", "train", 5000)
held, _ = idx("mnist", "t10k", 1000)
digits = torch.from_numpy(digits).float().flatten(1) / 255
held = torch.from_numpy(held).float().flatten(1) / 255


class VAE(nn.Module):
    def __init__(self, z=12):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(784, 256), nn.ELU(), nn.Linear(256, 2 * z))
        self.dec = nn.Sequential(nn.Linear(z, 256), nn.ELU(), nn.Linear(256, 784))

    def forward(self, x):
        mu, logvar = self.enc(x).chunk(2, 1)
        z = mu + torch.randn_like(mu) * torch.exp(logvar / 2)
        return self.dec(z), mu, logvar


def negative_elbo(logits, x, mu, logvar, beta=1.0):
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
    return (nll + beta * kl).mean()


vae = VAE()
optimizer = torch.optim.Adam(vae.parameters(), lr=3e-3)
EPOCHS = 15
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
watch = dressage.watch(vae, optimizer)
step = 0
for epoch in range(EPOCHS):
    vae.train()
    for b in torch.randperm(len(digits)).split(64):
        x = digits[b]
        logits, mu, logvar = vae(x)
        loss = negative_elbo(logits, x, mu, logvar, beta=min(1.0, 0.1 + step / 300))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
        step += 1
    schedule.step()
    vae.eval()
    with torch.no_grad():
        logits, mu, logvar = vae(held)
        val = negative_elbo(logits, held, mu, logvar).item()
        error = ((vae.dec(mu).sigmoid() - held) ** 2).sum()
        explained = 1 - (error / ((held - digits.mean(0)) ** 2).sum()).item()
    watch.validated(loss=val)
    print(epoch, round(val, 1), round(explained, 3))

done(watch, explained)
