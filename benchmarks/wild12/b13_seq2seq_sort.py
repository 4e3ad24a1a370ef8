"""Sequence to sequence: read six numbers and write them sorted.

cause: optim.frozen_params
"""

import torch
from kit import FIX, SEED, done, dressage
from torch import nn

VOCAB, LENGTH, START = 12, 6, 12
g = torch.Generator().manual_seed(SEED)
src = torch.randint(0, VOCAB, (4500, LENGTH), generator=g)
tgt = src.sort(1).values
src_tr, tgt_tr, src_va, tgt_va = src[:4000], tgt[:4000], src[4000:], tgt[4000:]


class Encoder(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.emb = nn.Embedding(VOCAB, 24)
        self.rnn = nn.GRU(24, d, batch_first=True)

    def forward(self, s):
        return self.rnn(self.emb(s))[1]


class Decoder(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.emb = nn.Embedding(VOCAB + 1, 24)
        self.rnn = nn.GRU(24, d, batch_first=True)
        self.out = nn.Linear(d, VOCAB)

    def forward(self, previous, state):
        h, state = self.rnn(self.emb(previous), state)
        return self.out(h), state


encoder, decoder = Encoder(), Decoder()
params = list(decoder.parameters())
if FIX:
    params += list(encoder.parameters())
optimizer = torch.optim.Adam(params, lr=4e-3)
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(nn.ModuleList([encoder, decoder]), optimizer)


def greedy(s):
    state = encoder(s)
    token = torch.full((len(s), 1), START)
    written = []
    for _ in range(LENGTH):
        logits, state = decoder(token, state)
        token = logits.argmax(-1)
        written.append(token)
    return torch.cat(written, 1)


for epoch in range(12):
    for rows in torch.randperm(len(src_tr)).split(50):
        s, t = src_tr[rows], tgt_tr[rows]
        shifted = torch.cat([torch.full((len(t), 1), START), t[:, :-1]], 1)
        logits, _ = decoder(shifted, encoder(s))
        loss = criterion(logits.flatten(0, 1), t.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        watch.step(loss)
    with torch.no_grad():
        right = (greedy(src_va) == tgt_va).float().mean().item()
    watch.validated(metric=right)
    print(epoch, right)

done(watch, right)
