"""A transformer that learns to look up the value of a key in a sequence of pairs (warm-up, gradients of two batches added up)."""

import torch
from torch import nn

from kit import SEED, done, dressage

g = torch.Generator().manual_seed(SEED + 1)
KEYS, VALUES, PAIRS = 8, 8, 5


def batch(n):
    keys = torch.rand(n, KEYS, generator=g).argsort(1)[:, :PAIRS]
    values = torch.randint(0, VALUES, (n, PAIRS), generator=g)
    ask = torch.randint(0, PAIRS, (n,), generator=g)
    rows = torch.arange(n)
    pairs = keys * VALUES + values
    return torch.cat([pairs, (KEYS * VALUES + keys[rows, ask])[:, None]], 1), values[rows, ask]


class Lookup(nn.Module):
    def __init__(self, d=48):
        super().__init__()
        self.emb = nn.Embedding(KEYS * VALUES + KEYS, d)
        layer = nn.TransformerEncoderLayer(d, 4, 96, dropout=0.0, batch_first=True, norm_first=True)
        self.enc = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(d, VALUES)

    def forward(self, x):
        return self.out(self.enc(self.emb(x))[:, -1])


model = Lookup()
opt = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.98))
STEPS, ACC = 700, 2
sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min((s + 1) / 80, max(0.0, (STEPS - s) / (STEPS - 80))))
ce = nn.CrossEntropyLoss()
watch = dressage.watch(model, opt, ce)
xv, yv = batch(1000)
for step in range(STEPS):
    total = 0.0
    for _ in range(ACC):
        x, y = batch(48)
        loss = ce(model(x), y) / ACC
        loss.backward()
        total += loss.item()
    opt.step()
    opt.zero_grad()
    sched.step()
    watch.step(total)
    if step % 70 == 69:
        model.eval()
        with torch.no_grad():
            o = model(xv)
        model.train()
        acc = (o.argmax(1) == yv).float().mean().item()
        watch.validated(loss=ce(o, yv).item(), metric=acc)
done(watch, acc)
