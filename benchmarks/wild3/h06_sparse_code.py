"""A sparse autoencoder: 256 ReLU units of which few fire on a picture."""

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader

x, _ = idx("mnist", "train", 4000)
v, _ = idx("mnist", "t10k", 500)
x, v = torch.tensor(x).float().flatten(1) / 255, torch.tensor(v).float().flatten(1) / 255


class SparseAutoencoder(nn.Module):
    def __init__(self, n_in=784, n_code=256):
        super().__init__()
        self.enc, self.dec = nn.Linear(n_in, n_code), nn.Linear(n_code, n_in)
        nn.init.constant_(self.enc.bias, -0.3)

    def forward(self, x):
        code = F.relu(self.enc(x))
        return self.dec(code), code


model = SparseAutoencoder()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
watch = dressage.watch(model, optimizer)
for epoch in range(8):
    for batch in DataLoader(x, batch_size=64, shuffle=True):
        out, code = model(batch)
        loss = F.mse_loss(out, batch) + 3e-2 * code.abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    out, code = model(v)
    zeros = (code == 0).float().mean()
    print(f"share of zeros {zeros:.3f}")
    done(watch, 1 - F.mse_loss(out, v) / F.mse_loss(x.mean(0).expand_as(v), v))
