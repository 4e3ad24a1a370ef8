"""Which package is a documentation line from? A bag of word pieces, summed, through a small tanh network.

cause: model.saturated_activation
"""

import re
import zlib

import numpy as np
import torch
from torch import nn

from kit import FIX, dressage, done, sentences

BUCKETS = 6000


def pieces(line):
    words = re.findall(r"[a-z_]+|[0-9]+", line)
    grams = [w[i : i + 4] for w in words for i in range(max(1, len(w) - 3))]
    return [zlib.crc32(g.encode()) % BUCKETS for g in grams]


rows = sentences(4500)
encoded = [(pieces(t), k) for t, k in rows]
encoded = [(p, k) for p, k in encoded if p]
cut = int(0.8 * len(encoded))
width = 60


def pad(rows):
    ids = np.full((len(rows), width), BUCKETS)
    for i, (p, _) in enumerate(rows):
        ids[i, : len(p[:width])] = p[:width]
    return torch.tensor(ids), torch.tensor([k for _, k in rows])


x_train, y_train = pad(encoded[:cut])
x_val, y_val = pad(encoded[cut:])


class Bag(nn.Module):
    def __init__(self, dim=64, classes=3):
        super().__init__()
        self.embed = nn.Embedding(BUCKETS + 1, dim, padding_idx=BUCKETS)
        self.hidden = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, classes)

    def forward(self, ids):
        e = self.embed(ids)
        if FIX:
            bag = e.sum(1) / (ids != BUCKETS).sum(1, keepdim=True)
        else:
            bag = e.sum(1)
        h = torch.tanh(self.hidden(torch.tanh(bag)))
        return self.out(h)


net = Bag()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
loss_fn = nn.CrossEntropyLoss()
watch = dressage.watch(
    net,
    optimizer,
    loss_fn,
    train=(x_train, y_train),
    val=(x_val, y_val),
    metric=lambda o, t: (o.argmax(1) == t).float().mean().item(),
)
batch = 32
best = 0
for epoch in range(6):
    net.train()
    order = torch.randperm(len(x_train))
    for i in range(0, len(order), batch):
        rows = order[i : i + batch]
        loss = loss_fn(net(x_train[rows]), y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        out = net(x_val)
        val_loss = loss_fn(out, y_val).item()
        acc = (out.argmax(1) == y_val).float().mean().item()
    watch.validated(loss=val_loss, metric=acc)
    print(epoch, round(loss.item(), 3), round(val_loss, 3), round(acc, 3))
done(watch, acc)
