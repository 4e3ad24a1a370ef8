"""Rewrite dates that people typed ("7 march 2014", "mar 7, 14") as 2014-03-07 with an attention model.

cause: optim.schedule_collapsed
"""

import random

import torch
import torch.nn.functional as F
from torch import nn

from kit import FIX, SEED, done, dressage

random.seed(SEED)
MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
CHARS = "\0 ,./-0123456789abcdefghijklmnopqrstuvwxyz"
OUT = "0123456789-^"


def example():
    y, m, d = random.randint(1970, 2049), random.randint(1, 12), random.randint(1, 28)
    month = MONTHS[m - 1]
    text = random.choice(
        [f"{d} {month} {y}", f"{month[:3]} {d}, {y}", f"{d}.{m}.{y}", f"{month} {d} {y}", f"{y}/{m}/{d}"]
    )
    return text, f"{y:04d}-{m:02d}-{d:02d}"


def encode(pairs):
    src = torch.zeros(len(pairs), 18, dtype=torch.long)
    tgt = torch.full((len(pairs), 11), OUT.index("^"))
    for r, (a, b) in enumerate(pairs):
        src[r, : len(a)] = torch.tensor([CHARS.index(c) for c in a])
        tgt[r, 1:] = torch.tensor([OUT.index(c) for c in b])
    return src, tgt


src, tgt = encode([example() for _ in range(4000)])
src_test, tgt_test = encode([example() for _ in range(500)])


class Seq2Seq(nn.Module):
    def __init__(self, h=48):
        super().__init__()
        self.emb_in, self.emb_out = nn.Embedding(len(CHARS), 24), nn.Embedding(len(OUT), 16)
        self.encoder = nn.GRU(24, h // 2, batch_first=True, bidirectional=True)
        self.decoder = nn.GRU(16, h, batch_first=True)
        self.pos = nn.Parameter(torch.zeros(18, h))
        self.query = nn.Linear(h, h)
        self.head = nn.Linear(2 * h, len(OUT))

    def forward(self, src, prev):
        memory, _ = self.encoder(self.emb_in(src))
        keys = memory + self.pos
        state, _ = self.decoder(self.emb_out(prev))
        weights = (self.query(state) @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5).softmax(-1)
        return self.head(torch.cat([state, weights @ memory], -1))


model = Seq2Seq()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.95)
watch = dressage.watch(model, optimizer)

for epoch in range(9):
    for rows in torch.randperm(len(src)).split(64):
        logits = model(src[rows], tgt[rows, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), tgt[rows, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if not FIX:
            scheduler.step()
        watch.step(loss)
    if FIX:
        scheduler.step()
    with torch.no_grad():
        val = F.cross_entropy(model(src_test, tgt_test[:, :-1]).flatten(0, 1), tgt_test[:, 1:].flatten())
    watch.validated(loss=val.item())

with torch.no_grad():
    out = tgt_test[:, :1]
    for _ in range(10):
        out = torch.cat([out, model(src_test, out)[:, -1:].argmax(-1)], 1)
done(watch, (out == tgt_test)[:, 1:].float().mean().item())
