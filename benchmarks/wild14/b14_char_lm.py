"""A small character-level language model of documentation lines.

cause: eval.overfit
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from kit import FIX, done, dressage, sentences

lines = [t for t, _ in sentences(900)]
chars = sorted(set("".join(lines)) | {"\n"})
stoi = {c: i for i, c in enumerate(chars)}
V, CTX = len(chars), 24


def tensor(ls):
    return torch.tensor([stoi[c] for c in "\n".join(ls)])


train, val = tensor(lines[:130]), tensor(lines[600:800])


def windows(text, stride):
    starts = range(0, len(text) - CTX - 1, stride)
    return torch.stack([text[i : i + CTX] for i in starts]), torch.stack([text[i + 1 : i + CTX + 1] for i in starts])


xt, yt = windows(train, 6)
xv, yv = windows(val, 24)


class LM(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(V, 32)
        self.rnn = nn.GRU(32, 128, batch_first=True)
        self.head = nn.Linear(128, V)

    def forward(self, x):
        return self.head(self.rnn(self.emb(x))[0])


model = LM()
opt = torch.optim.Adam(model.parameters(), lr=3e-3)
watch = dressage.watch(model, opt)


def xent(x, y):
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


best, kept = 1e9, None
for epoch in range(14):
    for b in torch.randperm(len(xt)).split(32):
        loss = xent(xt[b], yt[b])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        watch.step(loss)
    with torch.no_grad():
        v = xent(xv, yv).item()
    watch.validated(loss=v)
    if v < best:
        best, kept = v, copy.deepcopy(model.state_dict())
    elif FIX:
        break
if FIX:
    model.load_state_dict(kept)
with torch.no_grad():
    done(watch, -xent(xv, yv).item())
