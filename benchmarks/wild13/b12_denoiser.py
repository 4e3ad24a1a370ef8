"""Remove noise from small pictures with a convolutional autoencoder.

cause: model.wrong_output_activation
"""

import torch
from torch import nn
from torch.utils.data import DataLoader

from kit import FIX, done, dressage, idx

MEAN, STD = 0.2860, 0.3530


def load(part, n):
    return (torch.from_numpy(idx("fashion-mnist", part, n)[0]).float().unsqueeze(1) / 255 - MEAN) / STD


clean, held_out = load("train", 3000), load("t10k", 500)
noisy_held_out = held_out + 0.6 * torch.randn_like(held_out)


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(1, 12, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(12, 24, 3, stride=2, padding=1), nn.ReLU()
        )
        self.up = nn.Sequential(
            nn.ConvTranspose2d(24, 12, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(12, 1, 4, stride=2, padding=1),
            nn.Identity() if FIX else nn.Sigmoid(),
        )

    def forward(self, x):
        return self.up(self.down(x))


net = Denoiser()
mse = nn.MSELoss()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
loader = DataLoader(clean, batch_size=32, shuffle=True)
watch = dressage.watch(net, opt, mse, val=(noisy_held_out, held_out))

for epoch in range(5):
    for batch in loader:
        restored = net(batch + 0.6 * torch.randn_like(batch))
        loss = mse(restored, batch)
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    with torch.no_grad():
        error = mse(net(noisy_held_out), held_out).item()
    watch.validated(loss=error)

done(watch, 1 - error / held_out.var().item())
