"""Seven pixels in ten of a garment are hidden: a small U-net is told which, and its loss is of the hidden ones alone."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset


class UNet(nn.Module):
    def __init__(self, c=12):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, c, 3, padding=1), nn.Conv2d(c, 2 * c, 3, stride=2, padding=1)
        self.c, self.d = nn.Conv2d(2 * c, 2 * c, 3, stride=2, padding=1), nn.ConvTranspose2d(2 * c, 2 * c, 2, 2)
        self.e, self.out = nn.ConvTranspose2d(4 * c, c, 2, 2), nn.Conv2d(2 * c, 1, 3, padding=1)

    def forward(self, x, hidden):
        a = F.elu(self.a(torch.cat([x * (1 - hidden), hidden], 1)))
        b = F.elu(self.b(a))
        d = F.elu(self.d(F.elu(self.c(b))))
        e = F.elu(self.e(torch.cat([d, b], 1)))
        return self.out(torch.cat([e, a], 1))


def masked_mae(out, x, hidden):
    return ((out - x).abs() * hidden).sum() / hidden.sum()


prep = lambda part, n: torch.tensor(idx("fashion-mnist", part, n)[0]).float().unsqueeze(1) / 255
train, test = prep("train", 1600), prep("t10k", 300)
model = UNet()
decay = [p for p in model.parameters() if p.ndim > 1]
rest = [p for p in model.parameters() if p.ndim <= 1]
optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}], lr=3e-3)
loader = DataLoader(TensorDataset(train), batch_size=32, shuffle=True)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 7 * len(loader))
watch = dressage.watch(model, optimizer)
for epoch in range(7):
    for (x,) in loader:
        hidden = (torch.rand_like(x) < 0.7).float()
        loss = masked_mae(model(x, hidden), x, hidden)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        watch.step(loss)
model.eval()
hidden = (torch.rand_like(test) < 0.7).float()
with torch.no_grad():
    error = ((model(test, hidden) - test).pow(2) * hidden).sum()
done(watch, 1 - error / ((train.mean(0) - test).pow(2) * hidden).sum())
