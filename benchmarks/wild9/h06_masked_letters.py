"""Guess hidden letters of documentation lines (masked language model on characters)."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from kit import done, dressage, sentences

LEN, MASK = 32, 29
alphabet = "abcdefghijklmnopqrstuvwxyz .,"
code = {c: i for i, c in enumerate(alphabet)}
lines = [t for t, _ in sentences(3000)]
ids = torch.tensor([[code.get(c, 28) for c in t[:LEN].ljust(LEN)] for t in lines if len(t) >= LEN])
train, held = ids[:-500], ids[-500:]


class Letters(nn.Module):
    def __init__(self, dim=64):
        super().__init__()
        self.tok = nn.Embedding(30, dim)
        self.conv = nn.ModuleList(nn.Conv1d(dim, dim, 5, padding=2) for _ in range(3))
        self.norm = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.out = nn.Linear(dim, 29)

    def forward(self, x):
        h = self.tok(x)
        for conv, norm in zip(self.conv, self.norm):
            h = h + F.gelu(conv(norm(h).transpose(1, 2))).transpose(1, 2)
        return self.out(h)


def hide(x, share=0.15):
    hidden = torch.rand(x.shape) < share
    return x.masked_fill(hidden, MASK), x.masked_fill(~hidden, -100)


model = Letters()
optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.05)
STEPS = 600
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1, (s + 1) / 40) * max(0.0, 1 - s / STEPS))
watch = dressage.watch(model, optimizer)

for step in range(STEPS):
    x, y = hide(train[torch.randint(len(train), (48,))])
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten(), ignore_index=-100)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    watch.step(loss)

model.eval()
x, y = hide(held.repeat(3, 1))
with torch.no_grad():
    guess = model(x).argmax(-1)
seen = y >= 0
done(watch, (guess[seen] == y[seen]).float().mean())
