"""Three quantiles of the next three steps of a photograph's row, the pinball loss as a lambda; a GRU, state carried by hand."""

import numpy as np
import torch
from kit import SEED, done, dressage
from sklearn.datasets import load_sample_image
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

image = load_sample_image("flower.jpg").mean(2)[::4]
image = (image - image.mean()) / image.std()
PAST, AHEAD = 20, 3
rows = np.random.RandomState(SEED).permutation(len(image))


def windows(rows, every):
    cut = np.array([r[t : t + PAST + AHEAD] for r in rows for t in range(0, len(r) - PAST - AHEAD, every)])
    cut = torch.tensor(cut, dtype=torch.float32)
    return cut[:, :PAST, None], cut[:, PAST:]


train = windows(image[rows[:80]], 6)
val = windows(image[rows[80:]], 12)
levels = torch.tensor([0.1, 0.5, 0.9])
pinball = lambda out, y: torch.maximum(levels * (y.unsqueeze(-1) - out), (levels - 1) * (y.unsqueeze(-1) - out)).mean()


class Quantiles(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.cell = nn.GRUCell(1, hidden)
        self.out = nn.Linear(hidden, AHEAD * len(levels))

    def forward(self, x):
        h = x.new_zeros(len(x), self.cell.hidden_size)
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
        return self.out(h).view(len(x), AHEAD, len(levels))


model = Quantiles()
loader = DataLoader(TensorDataset(*train), batch_size=64, shuffle=True)
optimizer = torch.optim.Adam(model.parameters())
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, epochs=4, steps_per_epoch=len(loader))
watch = dressage.watch(model, optimizer, pinball, train=loader, val=val)
for epoch in range(4):
    for xb, yb in loader:
        loss = pinball(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        watch.step(loss)
        schedule.step()
with torch.no_grad():
    out = model(val[0])
covered = ((val[1] > out[..., 0]) & (val[1] < out[..., 2])).float().mean()
middle = 1 - (out[..., 1] - val[1]).abs().mean() / (val[1] - val[1].median()).abs().mean()
print(
    "covered by 80 % band",
    covered.item(),
    "gain over last value",
    1 - ((out[..., 1] - val[1]).abs().mean() / (val[0][:, -1] - val[1]).abs().mean()).item(),
)
done(watch, middle)
