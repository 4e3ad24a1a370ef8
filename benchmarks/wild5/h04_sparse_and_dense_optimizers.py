"""Hashed words in a sparse embedding bag with SparseAdam, the rest with AdamW; both step each batch."""

import re
import zlib

import torch
import torch.nn as nn
from kit import done, dressage, sentences

BUCKETS = 20000
rows = sentences(6000)


def ids(line):
    return [zlib.crc32(word.encode()) % BUCKETS for word in re.findall(r"[a-z_]+", line)]


def batch(part):
    bags = [ids(line) for line, _ in part]
    offsets = torch.tensor([0] + [len(b) for b in bags[:-1]]).cumsum(0)
    return torch.tensor(sum(bags, [])), offsets, torch.tensor([k for _, k in part])


class FastText(nn.Module):
    def __init__(self, d=48):
        super().__init__()
        self.bag = nn.EmbeddingBag(BUCKETS, d, mode="mean", sparse=True)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(d, 3))
        nn.init.uniform_(self.bag.weight, -0.05, 0.05)

    def forward(self, tokens, offsets):
        return self.head(self.bag(tokens, offsets))


train, test = rows[:4800], rows[4800:]
model, criterion = FastText(), nn.CrossEntropyLoss(label_smoothing=0.05)
sparse_opt = torch.optim.SparseAdam(model.bag.parameters(), lr=1e-2)
dense_opt = torch.optim.AdamW(model.head.parameters(), lr=2e-3, weight_decay=0.1)
watch = dressage.watch(model, dense_opt, criterion)
for epoch in range(4):
    model.train()
    for part in torch.randperm(len(train)).split(32):
        tokens, offsets, target = batch([train[i] for i in part])
        loss = criterion(model(tokens, offsets), target)
        sparse_opt.zero_grad()
        dense_opt.zero_grad()
        loss.backward()
        sparse_opt.step()
        dense_opt.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    tokens, offsets, target = batch(test)
    done(watch, (model(tokens, offsets).argmax(1) == target).float().mean())
