"""A variational autoencoder of clothes pictures, for making new ones.

cause: model.wrong_output_activation
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn

imgs, _ = idx("fashion-mnist", "train", 4000)
test, _ = idx("fashion-mnist", "t10k", 800)
scale = lambda a: torch.from_numpy(a).float().view(-1, 784) / 127.5 - 1.0
x_train, x_test = scale(imgs), scale(test)


class VAE(nn.Module):
    def __init__(self, latent=16, hidden=256):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, hidden), nn.ReLU())
        self.mu = nn.Linear(hidden, latent)
        self.logvar = nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 784),
            nn.Tanh() if FIX else nn.Sigmoid(),
        )

    def forward(self, x):
        h = self.encoder(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if self.training else mu
        return self.decoder(z), mu, logvar


def elbo_loss(recon, x, mu, logvar, beta=0.5):
    rec = ((recon - x) ** 2).sum(1)
    kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1)
    return (rec + beta * kl).mean()


vae = VAE()
opt = torch.optim.Adam(vae.parameters(), lr=1e-3)
watch = dressage.watch(vae, opt)

for epoch in range(10):
    vae.train()
    for b in torch.randperm(len(x_train)).split(64):
        x = x_train[b]
        recon, mu, logvar = vae(x)
        loss = elbo_loss(recon, x, mu, logvar)
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    vae.eval()
    with torch.no_grad():
        recon, mu, logvar = vae(x_test)
        val = elbo_loss(recon, x_test, mu, logvar).item()
        explained = 1 - ((recon - x_test) ** 2).sum() / ((x_test - x_train.mean(0)) ** 2).sum()
    watch.validated(loss=val)
    print(epoch, val, explained.item())

done(watch, explained)
