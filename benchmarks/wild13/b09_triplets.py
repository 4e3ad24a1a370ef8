"""Learn an embedding of clothing pictures in which pieces of a kind lie close together, for retrieval.

cause: loss.wrong_sign
"""

import torch
import torch.nn.functional as F
from torch import nn

from kit import FIX, done, dressage, idx

xa, ya = idx("fashion-mnist", "train", 4000)
xb, yb = idx("fashion-mnist", "t10k", 1000)
scale = lambda a: (torch.from_numpy(a).float() / 255 - 0.29).unsqueeze(1) / 0.35
xa, ya, xb, yb = scale(xa), torch.from_numpy(ya), scale(xb), torch.from_numpy(yb)
members = [torch.nonzero(ya == k).flatten() for k in range(10)]


class Encoder(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(12, 24, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.project = nn.Linear(24 * 49, dim)

    def forward(self, x):
        return F.normalize(self.project(self.features(x)), dim=1)


def draw(batch):
    anchor = torch.randint(0, len(xa), (batch,))
    labels = ya[anchor]
    other = (labels + torch.randint(1, 10, (batch,))) % 10
    pick = lambda k: members[k][torch.randint(0, len(members[k]), (1,))]
    same = torch.cat([pick(k) for k in labels.tolist()])
    diff = torch.cat([pick(k) for k in other.tolist()])
    return xa[anchor], xa[same], xa[diff]


def triplet_loss(a, p, n, margin=0.4):
    pos = (a - p).pow(2).sum(1)
    neg = (a - n).pow(2).sum(1)
    if FIX:
        return F.relu(pos - neg + margin).mean()
    return F.relu(neg - pos + margin).mean()


def recall_at_1(model):
    with torch.no_grad():
        z = model(xb)
    sim = z @ z.T - 10 * torch.eye(len(z))
    return (yb[sim.argmax(1)] == yb).float().mean().item()


model = Encoder()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer)
for step in range(500):
    a, p, n = draw(48)
    loss = triplet_loss(model(a), model(p), model(n))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if (step + 1) % 100 == 0:
        watch.validated(metric=recall_at_1(model))

done(watch, recall_at_1(model))
