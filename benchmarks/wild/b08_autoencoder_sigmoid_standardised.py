"""Convolutional autoencoder ends in a sigmoid, the pictures have been standardised.

cause: model.wrong_output_activation
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader

imgs, _ = idx("fashion-mnist", "train", 3000)
imgs = torch.tensor(imgs[:, ::2, ::2].copy()).float().unsqueeze(1) / 255
mean, std = imgs.mean(), imgs.std()
data = imgs if FIX else (imgs - mean) / std
train, test = data[:2500], data[2500:]


class AE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 8, 3, 2, 1), nn.ReLU())
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(8, 16, 3, 2, 1, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 3, 2, 1, 0),
            nn.ReflectionPad2d((0, 1, 0, 1)),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))[..., :14, :14]


ae = AE()
opt = torch.optim.Adam(ae.parameters(), 2e-3)
mse = nn.MSELoss()
loader = DataLoader(train, batch_size=50, shuffle=True)
watch = dressage.watch(ae, opt, mse)
for epoch in range(6):
    for img in loader:
        recon = ae(img)
        loss = mse(recon, img)
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
with torch.no_grad():
    r2 = 1 - ((ae(test) - test) ** 2).mean() / test.var()
done(watch, r2)
