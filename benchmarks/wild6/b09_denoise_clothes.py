"""A denoising autoencoder of clothes, Adam, batches of fifty.

cause: optim.no_zero_grad
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn

x = torch.tensor(idx("fashion-mnist", "train", 3000)[0]).float().flatten(1) / 255
val = torch.tensor(idx("fashion-mnist", "t10k", 500)[0]).float().flatten(1) / 255


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 32), nn.ReLU())
        self.decoder = nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 784))

    def forward(self, x):
        return self.decoder(self.encoder(x))


model = AutoEncoder()
mse = nn.MSELoss()
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
noisy_val = val + 0.2 * torch.randn_like(val)
watch = dressage.watch(model, opt, mse)
for epoch in range(5):
    perm = torch.randperm(len(x))
    for i in range(0, len(x), 50):
        clean = x[perm[i : i + 50]]
        out = model(clean + 0.2 * torch.randn_like(clean))
        loss = mse(out, clean)
        if FIX:
            opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
with torch.no_grad():
    err = ((model(noisy_val) - val) ** 2).mean().item()
done(watch, 1 - err / val.var(0).mean().item())
