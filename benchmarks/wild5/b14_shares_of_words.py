"""Which package is a line from? The shares of the four hundred commonest words of six letters and more in it.

cause: data.nonfinite
"""

import re
from collections import Counter

import torch
import torch.nn as nn
from kit import FIX, done, dressage, sentences
from torch.utils.data import DataLoader, TensorDataset

rows = sentences(3000)
tokens = [[w for w in re.findall(r"[a-z_]+", line) if len(w) > 5] for line, _ in rows]
vocab = {w: i for i, (w, _) in enumerate(Counter(w for t in tokens for w in t).most_common(400))}
counts = torch.zeros(len(rows), len(vocab))
for r, words in enumerate(tokens):
    for w in words:
        if w in vocab:
            counts[r, vocab[w]] += 1
total = counts.sum(1, keepdim=True)
if FIX:
    total = total.clamp(min=1)
X = counts / total
y = torch.tensor([k for _, k in rows])
train_ds, test_ds = TensorDataset(X[:2400], y[:2400]), TensorDataset(X[2400:], y[2400:])
net = nn.Sequential(nn.Linear(len(vocab), 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 3))
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
loader = DataLoader(train_ds, batch_size=32, shuffle=True)
watch = dressage.watch(net, opt, loss_fn, train=loader, val=test_ds)
for epoch in range(6):
    net.train()
    for xb, yb in loader:
        opt.zero_grad()
        loss = loss_fn(net(xb), yb)
        loss.backward()
        opt.step()
        watch.step(loss)
net.eval()
with torch.no_grad():
    done(watch, (net(X[2400:]).argmax(1) == y[2400:]).float().mean())
