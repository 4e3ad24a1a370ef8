"""Self-supervised: paint in the hidden pixels of handwritten digits (a fresh mask each step)."""

import torch
import torch.nn as nn

from kit import done, dressage, idx

imgs, _ = idx("mnist", "train", 6000)
held, _ = idx("mnist", "t10k", 1000)
pool = nn.AvgPool2d(2)
imgs, held = [pool(torch.tensor(a)[:, None].float() / 255) for a in (imgs, held)]


def hide(batch, generator=None):
    keep = (torch.rand(batch.shape, generator=generator) > 0.6).float()
    return torch.cat([batch * keep, keep], 1), keep


class Painter(nn.Module):
    def __init__(self, width=384):
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(2 * 196, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 196),
        )

    def forward(self, x):
        return self.body(x).view(-1, 1, 14, 14)


model = Painter()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
STEPS = 1500
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
watch = dressage.watch(model, optimizer)


def hidden_error(pred, target, keep):
    hidden = 1 - keep
    return ((pred - target) ** 2 * hidden).sum() / hidden.sum()


fixed = torch.Generator().manual_seed(99)
held_in, held_keep = hide(held, fixed)
for step in range(1, STEPS + 1):
    batch = imgs[torch.randint(len(imgs), (64,))]
    inp, keep = hide(batch)
    loss = hidden_error(model(inp), batch, keep)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    watch.step(loss)
    if step % 150 == 0:
        with torch.no_grad():
            err = hidden_error(model(held_in), held, held_keep).item()
        watch.validated(loss=err)

done(watch, 1 - err / held.var().item())
