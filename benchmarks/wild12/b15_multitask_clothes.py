"""One network, two tasks: which garment it is and how many grams of ink its print needs.

cause: data.target_unscaled
"""

import torch
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch import nn

raw, kind = idx("fashion-mnist", "train", 4000)
raw_t, kind_t = idx("fashion-mnist", "t10k", 1000)
pixels = torch.from_numpy(raw).float().div(255).sub(0.286).div(0.353).unsqueeze(1)
pixels_t = torch.from_numpy(raw_t).float().div(255).sub(0.286).div(0.353).unsqueeze(1)
kind, kind_t = torch.from_numpy(kind), torch.from_numpy(kind_t)
ink = torch.from_numpy(raw.reshape(len(raw), -1).mean(1)).float() * 5
ink_t = torch.from_numpy(raw_t.reshape(len(raw_t), -1).mean(1)).float() * 5
if FIX:
    centre, spread = ink.mean(), ink.std()
    ink, ink_t = (ink - centre) / spread, (ink_t - centre) / spread


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 12, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(12, 24, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(24 * 49, 64),
            nn.ReLU(),
        )
        self.kind = nn.Linear(64, 10)
        self.ink = nn.Linear(64, 1)

    def forward(self, x):
        h = self.trunk(x)
        return self.kind(h), self.ink(h).squeeze(1)


model = TwoHeads()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer)

for epoch in range(8):
    model.train()
    for b in torch.randperm(len(pixels)).split(64):
        logits, grams = model(pixels[b])
        loss = F.cross_entropy(logits, kind[b]) + F.mse_loss(grams, ink[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        logits, grams = model(pixels_t)
        acc = (logits.argmax(1) == kind_t).float().mean().item()
        r2 = 1 - F.mse_loss(grams, ink_t).item() / ink_t.var().item()
        total = F.cross_entropy(logits, kind_t) + F.mse_loss(grams, ink_t)
    watch.validated(loss=total.item(), metric=acc)
    print(epoch, f"acc {acc:.3f} r2 {r2:.3f}")

done(watch, (acc + max(r2, -1)) / 2)
