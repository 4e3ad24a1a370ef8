"""A variational autoencoder of handwritten digits.

cause: model.wrong_output_activation
"""

import torch
import torch.nn.functional as F
from torch import nn

from kit import FIX, done, dressage, idx

x, _ = idx("mnist", "train", 5000)
v, _ = idx("mnist", "t10k", 1000)
x, v = (torch.tensor(a).float().flatten(1) / 255 for a in (x, v))


class VAE(nn.Module):
    def __init__(self, z=12):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(784, 200), nn.ReLU())
        self.mu, self.logvar = nn.Linear(200, z), nn.Linear(200, z)
        self.dec = nn.Sequential(nn.Linear(z, 200), nn.ReLU(), nn.Linear(200, 784))
        if not FIX:
            self.dec.append(nn.Sigmoid())

    def forward(self, x):
        h = self.enc(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if self.training else mu
        return self.dec(z), mu, logvar


def elbo(out, x):
    logits, mu, logvar = out
    rec = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1)
    return (rec + kl).mean()


model = VAE()
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, opt, elbo)
for epoch in range(12):
    model.train()
    for b in torch.randperm(len(x)).split(64):
        loss = elbo(model(x[b]), x[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        watch.validated(loss=elbo(model(v), v).item())
with torch.no_grad():
    out = model(v)[0]
    picture = out.sigmoid() if FIX else out
done(watch, 1 - ((picture - v) ** 2).mean().item() / ((v - x.mean(0)) ** 2).mean().item())
