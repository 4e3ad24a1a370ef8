"""A variational autoencoder that gives back its loss in a dict; the weight of the KL term grows, so the loss rises for a time."""

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from torch import nn

images, _ = idx("mnist", "train", 3000)
x = torch.tensor(images, dtype=torch.float32).flatten(1) / 255
images, _ = idx("mnist", "t10k", 500)
xt = torch.tensor(images, dtype=torch.float32).flatten(1) / 255


class VAE(nn.Module):
    def __init__(self, latent=10):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(784, 128), nn.SiLU())
        self.mu, self.logvar = nn.Linear(128, latent), nn.Linear(128, latent)
        self.dec = nn.Sequential(nn.Linear(latent, 128), nn.SiLU(), nn.Linear(128, 784))
        nn.init.zeros_(self.logvar.weight)
        nn.init.constant_(self.logvar.bias, -2.0)

    def forward(self, x, beta=1.0):
        h = self.enc(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if self.training else mu
        out = self.dec(z)
        recon = F.binary_cross_entropy_with_logits(out, x, reduction="none").sum(1).mean()
        kl = 0.5 * (mu.pow(2) + logvar.exp() - 1 - logvar).sum(1).mean()
        return {"loss": recon + beta * kl, "recon": recon, "kl": kl, "image": out.sigmoid()}


vae = VAE()
optimizer = torch.optim.Adamax(vae.parameters(), lr=4e-3)
watch = dressage.watch(vae, optimizer)
step, total = 0, 12 * 47
for epoch in range(12):
    vae.train()
    for rows in torch.randperm(len(x)).split(64):
        out = vae(x[rows], beta=min(1.5, 3.0 * step / total))
        loss = out["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
        step += 1
    print(epoch, loss.item(), out["recon"].item(), out["kl"].item())
vae.eval()
with torch.no_grad():
    image = vae(xt)["image"]
done(watch, 1 - (image - xt).pow(2).mean() / (xt - x.mean(0)).pow(2).mean())
