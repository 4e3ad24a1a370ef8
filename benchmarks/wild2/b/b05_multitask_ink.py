"""One trunk, two heads: which digit it is, and how much ink was used; the two losses are added with weights.

cause: data.target_unscaled
"""

import torch
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load(part, n):
    raw, y = idx("mnist", part, n)
    ink = torch.tensor(raw.reshape(n, -1).sum(1), dtype=torch.float32)
    x = (torch.tensor(raw, dtype=torch.float32) / 255 - 0.1307) / 0.3081
    return x.unsqueeze(1), torch.tensor(y), ink


x, y, ink = load("train", 3000)
xt, yt, inkt = load("t10k", 1000)
if FIX:
    mean, std = ink.mean(), ink.std()
    ink, inkt = (ink - mean) / std, (inkt - mean) / std


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 5, stride=2), nn.ReLU(), nn.Flatten()
        )
        self.shared = nn.Linear(256, 32)
        self.digit = nn.Linear(32, 10)
        self.ink = nn.Linear(32, 1)

    def forward(self, x):
        h = F.relu(self.shared(self.trunk(x)))
        return {"digit": self.digit(h), "ink": self.ink(h).squeeze(1)}


model = TwoHeads()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
weights = {"digit": 1.0, "ink": 0.5}


def loss_fn(out, digit, ink):
    return weights["digit"] * F.cross_entropy(out["digit"], digit) + weights["ink"] * F.l1_loss(out["ink"], ink)


loader = DataLoader(TensorDataset(x, y, ink), batch_size=50, shuffle=True)
watch = dressage.watch(model, optimizer, train=loader, val=TensorDataset(xt, yt, inkt))
for epoch in range(6):
    for images, digit, amount in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), digit, amount)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        watch.step(loss)

with torch.no_grad():
    out = model(xt)
acc = (out["digit"].argmax(1) == yt).float().mean()
r2 = 1 - F.mse_loss(out["ink"], inkt) / inkt.var()
print("digit accuracy", acc.item(), "ink R2", r2.item())
done(watch, 0.5 * acc + 0.5 * max(r2, torch.tensor(-1.0)))
