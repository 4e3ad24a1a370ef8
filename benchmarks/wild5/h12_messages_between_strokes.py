"""Digits as graphs of their dark pixels: nodes know their place alone, messages by hand, graphs of unlike sizes in a batch."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage
from sklearn.datasets import load_digits

X, Y = load_digits(return_X_y=True)
X, Y = torch.tensor(X.reshape(-1, 8, 8)), torch.tensor(Y)


def graph(image):
    at = (image > 6).nonzero().float()
    near = torch.cdist(at, at) < 1.6
    near.fill_diagonal_(False)
    return at / 3.5 - 1, near.nonzero().T


GRAPHS = [graph(image) for image in X]


def collate(rows):
    nodes, edges, owner, base = [], [], [], 0
    for number, r in enumerate(rows):
        at, pairs = GRAPHS[r]
        nodes.append(at)
        edges.append(pairs + base)
        owner += [number] * len(at)
        base += len(at)
    return {"pos": torch.cat(nodes), "edges": torch.cat(edges, 1), "owner": torch.tensor(owner), "n": len(rows)}, Y[
        rows
    ]


class MPNN(nn.Module):
    def __init__(self, h=40, rounds=3):
        super().__init__()
        self.start = nn.Linear(2, h)
        self.message = nn.ModuleList([nn.Linear(2 * h + 2, h) for _ in range(rounds)])
        self.update = nn.ModuleList([nn.GRUCell(h, h) for _ in range(rounds)])
        self.out = nn.Sequential(nn.Linear(2 * h, h), nn.ReLU(), nn.Linear(h, 10))

    def forward(self, g):
        h, (a, b) = torch.relu(self.start(g["pos"])), g["edges"]
        for message, update in zip(self.message, self.update):
            m = F.relu(message(torch.cat([h[a], h[b], g["pos"][b] - g["pos"][a]], 1)))
            h = update(torch.zeros_like(h).index_add(0, a, m), h)
        total = torch.zeros(g["n"], h.shape[1]).index_add(0, g["owner"], h)
        count = torch.bincount(g["owner"], minlength=g["n"]).clamp(min=1).unsqueeze(1)
        return self.out(torch.cat([total / count, total / 10], 1))


model = MPNN()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 13)
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer, criterion)
perm = torch.randperm(len(Y))
train, test = perm[:1400], perm[1400:]
for epoch in range(13):
    for rows in train[torch.randperm(len(train))].split(32):
        g, target = collate(rows)
        optimizer.zero_grad()
        loss = criterion(model(g), target)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
with torch.no_grad():
    g, target = collate(test)
    done(watch, (model(g).argmax(1) == target).float().mean())
