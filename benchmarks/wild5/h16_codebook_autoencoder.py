"""A vector-quantised autoencoder of clothes: straight-through codes, a codebook moved by averages and not by the optimiser."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage, idx
from torch.utils.data import DataLoader


class Quantiser(nn.Module):
    def __init__(self, k=64, d=16, decay=0.95):
        super().__init__()
        self.decay = decay
        self.register_buffer("codes", torch.randn(k, d))
        self.register_buffer("size", torch.ones(k))
        self.register_buffer("total", self.codes.clone())

    def forward(self, z):
        flat = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])
        at = torch.cdist(flat, self.codes).argmin(1)
        if self.training:
            with torch.no_grad():
                hot = F.one_hot(at, len(self.codes)).float()
                self.size.mul_(self.decay).add_(hot.sum(0), alpha=1 - self.decay)
                self.total.mul_(self.decay).add_(hot.T @ flat, alpha=1 - self.decay)
                self.codes.copy_(self.total / (self.size + 1e-3).unsqueeze(1))
                dead = self.size < 0.05
                self.codes[dead] = flat[torch.randint(len(flat), (int(dead.sum()),))]
        q = self.codes[at].view(len(z), *z.shape[2:], -1).permute(0, 3, 1, 2)
        return z + (q - z).detach(), F.mse_loss(z, q.detach())


class VQVAE(nn.Module):
    def __init__(self, d=16):
        super().__init__()
        self.encode = nn.Sequential(nn.Conv2d(1, 24, 4, 2, 1), nn.ReLU(), nn.Conv2d(24, d, 4, 2, 1))
        self.vq = Quantiser(d=d)
        self.decode = nn.Sequential(nn.ConvTranspose2d(d, 24, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(24, 1, 4, 2, 1))

    def forward(self, x):
        q, commit = self.vq(self.encode(x))
        out = self.decode(q)
        return out, F.mse_loss(out, x) / 0.125 + 0.25 * commit


prep = lambda part, n: torch.tensor(idx("fashion-mnist", part, n)[0]).float().unsqueeze(1) / 255
train, test = prep("train", 2000), prep("t10k", 500)
model = VQVAE()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
watch = dressage.watch(model, optimizer)
for epoch in range(8):
    model.train()
    for x in DataLoader(train, batch_size=40, shuffle=True):
        _, loss = model(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    done(watch, 1 - F.mse_loss(model(test)[0], test) / (test - train.mean(0)).pow(2).mean())
