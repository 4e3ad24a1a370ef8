"""Sequence to sequence: read eight digits, write them sorted (GRU encoder and decoder, teacher forcing).

cause: optim.no_zero_grad
"""

import torch
import torch.nn as nn

from kit import FIX, done, dressage

LENGTH, BOS = 7, 10


class Sorter(nn.Module):
    def __init__(self, dim=64):
        super().__init__()
        self.src = nn.Embedding(10, 24)
        self.tgt = nn.Embedding(11, 24)
        self.enc = nn.GRU(24, dim, batch_first=True)
        self.dec = nn.GRU(24, dim, batch_first=True)
        self.out = nn.Linear(dim, 10)

    def forward(self, source, previous):
        _, h = self.enc(self.src(source))
        y, _ = self.dec(self.tgt(previous), h)
        return self.out(y)

    @torch.no_grad()
    def write(self, source):
        _, h = self.enc(self.src(source))
        token = torch.full((len(source), 1), BOS)
        written = []
        for _ in range(LENGTH):
            y, h = self.dec(self.tgt(token), h)
            token = self.out(y).argmax(-1)
            written.append(token)
        return torch.cat(written, 1)


def batch(n):
    source = torch.randint(0, 10, (n, LENGTH))
    target = source.sort(1).values
    previous = torch.cat([torch.full((n, 1), BOS), target[:, :-1]], 1)
    return source, previous, target


model = Sorter()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer)

for step in range(600):
    source, previous, target = batch(64)
    logits = model(source, previous)
    loss = criterion(logits.reshape(-1, 10), target.reshape(-1))
    if FIX:
        optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)

source, _, target = batch(500)
done(watch, (model.write(source) == target).float().mean())
