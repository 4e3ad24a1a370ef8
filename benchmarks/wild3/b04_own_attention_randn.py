"""Rows of a picture as tokens; attention and feed-forward written with plain parameters.

cause: model.init_too_large
"""

import math

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx

D, L = 48, 28


def weight(n, m):
    return nn.Parameter(torch.randn(n, m) * (n**-0.5 if FIX else 1.0))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.wq, self.wk, self.wv, self.wo = weight(D, D), weight(D, D), weight(D, D), weight(D, D)
        self.w1, self.w2 = weight(D, 2 * D), weight(2 * D, D)

    def forward(self, x):
        q, k, v = x @ self.wq, x @ self.wk, x @ self.wv
        a = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(D), -1)
        x = x + a @ v @ self.wo
        return x + torch.relu(x @ self.w1) @ self.w2


class RowTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.pos = weight(28, D), nn.Parameter(torch.zeros(L, D))
        self.blocks = nn.ModuleList([Block(), Block()])
        self.out = weight(D, 10)

    def forward(self, x):
        x = x @ self.embed + self.pos
        for block in self.blocks:
            x = block(x)
        return x.mean(1) @ self.out


xt, yt = idx("fashion-mnist", "train", 3000)
xv, yv = idx("fashion-mnist", "t10k", 1000)
xt, xv = torch.tensor(xt).float() / 255, torch.tensor(xv).float() / 255
yt, yv = torch.tensor(yt), torch.tensor(yv)
model = RowTransformer()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=(xt, yt), val=(xv, yv))
for epoch in range(4):
    model.train()
    for b in torch.randperm(3000).split(25):
        loss = criterion(model(xt[b]), yt[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, (model(xv).argmax(1) == yv).float().mean())
