"""Implicit feedback: user and item towers with a BPR loss on sampled negatives; the loss starts at log 2 and moves slowly."""

import numpy as np
import torch
import torch.nn.functional as F
from kit import done, dressage
from torch import nn

rng = np.random.default_rng(5)
U, I = 300, 200
taste, topic = rng.normal(size=(U, 6)), rng.normal(size=(I, 6))
affinity = taste @ topic.T + rng.gumbel(size=(U, I)) * 1.5 + rng.normal(0, 1, I)
liked = np.argsort(-affinity, 1)[:, :24]
for row in liked:
    rng.shuffle(row)
train = np.stack([np.repeat(np.arange(U), 18), liked[:, :18].ravel()], 1)
seen = torch.zeros(U, I, dtype=torch.bool)
seen[train[:, 0], train[:, 1]] = True
held = torch.zeros(U, I, dtype=torch.bool)
held[np.repeat(np.arange(U), 6), liked[:, 18:].ravel()] = True
train = torch.tensor(train)


class Towers(nn.Module):
    def __init__(self, d=16):
        super().__init__()
        self.user, self.item = nn.Embedding(U, d), nn.Embedding(I, d)
        self.popularity = nn.Embedding(I, 1)
        nn.init.normal_(self.user.weight, std=0.05)
        nn.init.normal_(self.item.weight, std=0.05)
        nn.init.zeros_(self.popularity.weight)

    def forward(self, user, item):
        return (self.user(user) * self.item(item)).sum(-1) + self.popularity(item).squeeze(-1)


model = Towers()
optimizer = torch.optim.AdamW(
    [
        {"params": [model.user.weight, model.item.weight], "lr": 5e-3, "weight_decay": 0.1},
        {"params": model.popularity.parameters(), "lr": 2e-2, "weight_decay": 0.0},
    ]
)
watch = dressage.watch(model, optimizer)
for epoch in range(20):
    for rows in torch.randperm(len(train)).split(256):
        user, pos = train[rows].T
        neg = torch.randint(I, pos.shape)
        loss = -F.logsigmoid(model(user, pos) - model(user, neg)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)

with torch.no_grad():
    scores = model(torch.arange(U)[:, None], torch.arange(I)[None]).masked_fill(seen, -1e9)
auc = []
for u in range(U):
    good, bad = scores[u][held[u]], scores[u][~held[u] & ~seen[u]]
    auc.append((good[:, None] > bad[None]).float().mean())
popular = seen.float().sum(0)
base = torch.stack([(popular[held[u]][:, None] > popular[~held[u] & ~seen[u]][None]).float().mean() for u in range(U)])
print("popularity alone", base.mean().item())
done(watch, torch.stack(auc).mean())
