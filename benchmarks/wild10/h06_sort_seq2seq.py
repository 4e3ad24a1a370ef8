"""Sequence to sequence: write a row of digits in ascending order; an encoder and a decoder with attention."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from kit import SEED, done, dressage

LENGTH, BATCH, START = 8, 64, 10
g = torch.Generator().manual_seed(60 + SEED)


def make(n):
    x = torch.randint(0, 10, (n, LENGTH), generator=g)
    y = x.sort(1).values
    return x, torch.cat([torch.full((n, 1), START), y[:, :-1]], 1), y


class Sorter(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.emb = nn.Embedding(11, width)
        self.encoder = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)
        self.decoder = nn.GRU(width, width, batch_first=True)
        self.query = nn.Linear(width, width)
        self.out = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, 10))

    def forward(self, source, shifted):
        memory, _ = self.encoder(self.emb(source))
        state, _ = self.decoder(self.emb(shifted), memory.mean(1)[None].contiguous())
        attention = (self.query(state) @ memory.transpose(1, 2) / 8).softmax(2)
        return self.out(torch.cat([state, attention @ memory], 2))

    @torch.no_grad()
    def write(self, source):
        out = torch.full((len(source), 1), START)
        for _ in range(LENGTH):
            out = torch.cat([out, self(source, out)[:, -1:].argmax(2)], 1)
        return out[:, 1:]


model = Sorter()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / 50, (900 - s) / 850))
watch = dressage.watch(model, optimizer)
fresh = make(500)

for step in range(900):
    model.train()
    source, shifted, target = make(BATCH)
    loss = F.cross_entropy(model(source, shifted).flatten(0, 1), target.flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    warm.step()
    watch.step(loss)
    if step % 100 == 99:
        model.eval()
        with torch.no_grad():
            val = F.cross_entropy(model(*fresh[:2]).flatten(0, 1), fresh[2].flatten()).item()
        exact = (model.write(fresh[0]) == fresh[2]).all(1).float().mean().item()
        watch.validated(loss=val, metric=exact)
        print(step, loss.item(), val, exact)

done(watch, exact)
