"""Which package does a line of documentation come from? Mean of word embeddings and a small head.

cause: data.no_shuffle
"""

import collections

import torch
from torch import nn

from kit import FIX, done, dressage, sentences

rows = sentences(6000)
test, train = rows[:900], rows[900:]
count = collections.Counter(w for t, _ in train for w in t.split())
vocab = {w: i + 1 for i, (w, c) in enumerate(count.most_common(3000)) if c > 1}


def encode(text, length=16):
    ids = [vocab.get(w, 0) for w in text.split()][:length]
    return ids + [0] * (length - len(ids))


# one bucket of lines for each package
buckets = [[r for r in train if r[1] == k] for k in range(3)]
train = [r for b in buckets for r in b]
X = torch.tensor([encode(t) for t, _ in train])
Y = torch.tensor([k for _, k in train])
XT = torch.tensor([encode(t) for t, _ in test])
YT = torch.tensor([k for _, k in test])


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.EmbeddingBag(3001, 48, padding_idx=0)
        self.out = nn.Sequential(nn.Dropout(0.3), nn.Linear(48, 48), nn.ReLU(), nn.Dropout(0.3), nn.Linear(48, 3))

    def forward(self, x):
        return self.out(self.emb(x))


net = Bag()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), 32, shuffle=FIX)
ce = nn.CrossEntropyLoss()
watch = dressage.watch(net, opt, ce, train=loader, val=(XT, YT))
for epoch in range(5):
    net.train()
    for xb, yb in loader:
        loss = ce(net(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        out = net(XT)
    acc = (out.argmax(1) == YT).float().mean().item()
    watch.validated(loss=ce(out, YT).item(), metric=acc)
done(watch, acc)
