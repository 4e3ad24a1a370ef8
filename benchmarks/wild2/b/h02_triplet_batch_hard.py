"""Metric learning with batch-hard triplets on Fashion: the loss stays near the margin for long, the neighbours get better."""

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from torch import nn

MARGIN, P, K = 0.3, 10, 5


def load(part, n):
    images, labels = idx("fashion-mnist", part, n)
    return torch.tensor(images, dtype=torch.float32).unsqueeze(1).div(255).sub(0.286).div(0.353), torch.tensor(labels)


x, y = load("train", 3000)
xt, yt = load("t10k", 1000)
of_class = [(y == c).nonzero().flatten() for c in range(10)]


class Embedder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 12, 5, stride=2),
            nn.BatchNorm2d(12),
            nn.ReLU(),
            nn.Conv2d(12, 24, 3, stride=2),
            nn.BatchNorm2d(24),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(600, 32),
        )

    def forward(self, x):
        return F.normalize(self.net(x), dim=1)


def batch_hard(z, labels):
    d = torch.cdist(z, z)
    same = labels[:, None] == labels[None]
    hardest_pos = d.masked_fill(~same, 0).amax(1)
    hardest_neg = d.masked_fill(same, 9).amin(1)
    return F.relu(hardest_pos - hardest_neg + MARGIN).mean()


def recall(model):
    model.eval()
    with torch.no_grad():
        near = torch.cdist(model(xt), model(x)).topk(5, largest=False).indices
    return (torch.mode(y[near], 1).values == yt).float().mean().item()


model = Embedder()
print("before", recall(model))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
watch = dressage.watch(model, optimizer, batch_hard, train=(x, y), val=(xt, yt))
model.train()
for step in range(400):
    rows = torch.cat([of_class[c][torch.randint(len(of_class[c]), (K,))] for c in torch.randperm(10)[:P]])
    loss = batch_hard(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
    scheduler.step()
done(watch, recall(model))
