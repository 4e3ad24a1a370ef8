"""Sequence to sequence: sort a short string of letters with a GRU encoder, a GRU decoder and teacher forcing.

cause: optim.no_zero_grad
"""

import torch
from torch import nn

from kit import FIX, SEED, done, dressage

g = torch.Generator().manual_seed(SEED + 3)
V, L, BOS = 12, 6, 12


def batch(n):
    x = torch.randint(0, V, (n, L), generator=g)
    return x, x.sort(1).values


xv, yv = batch(500)


class Seq2Seq(nn.Module):
    def __init__(self, h=64):
        super().__init__()
        self.emb = nn.Embedding(V + 1, 24)
        self.enc = nn.GRU(24, h, batch_first=True)
        self.dec = nn.GRU(24, h, batch_first=True)
        self.out = nn.Linear(h, V)

    def forward(self, x, y):
        _, h = self.enc(self.emb(x))
        start = torch.full((len(x), 1), BOS)
        o, _ = self.dec(self.emb(torch.cat([start, y[:, :-1]], 1)), h)
        return self.out(o)

    @torch.no_grad()
    def generate(self, x):
        _, h = self.enc(self.emb(x))
        tok, res = torch.full((len(x), 1), BOS), []
        for _ in range(L):
            o, h = self.dec(self.emb(tok), h)
            tok = self.out(o).argmax(2)
            res.append(tok)
        return torch.cat(res, 1)


model = Seq2Seq()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
ce = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer)
for step in range(900):
    x, y = batch(64)
    loss = ce(model(x, y).flatten(0, 1), y.flatten())
    if FIX:
        optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
done(watch, (model.generate(xv) == yv).float().mean().item())
