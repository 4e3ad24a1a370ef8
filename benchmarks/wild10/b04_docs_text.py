"""From which package does a line of documentation come? Averaged word embeddings and a hidden layer.

cause: optim.frozen_params
"""

import re
from collections import Counter

import torch
from torch import nn

from kit import FIX, done, dressage, sentences

rows = sentences(4500)
cut = int(len(rows) * 0.75)
tokens = [re.findall(r"[a-z_]+|\d", text) for text, _ in rows]
vocab = [w for w, c in Counter(w for t in tokens[:cut] for w in t).most_common(4000)]
index = {w: i + 2 for i, w in enumerate(vocab)}
LENGTH = 16


def encode(words):
    ids = [index.get(w, 1) for w in words][:LENGTH]
    return ids + [0] * (LENGTH - len(ids))


X = torch.tensor([encode(t) for t in tokens])
Y = torch.tensor([k for _, k in rows])
Xtr, Ytr, Xva, Yva = X[:cut], Y[:cut], X[cut:], Y[cut:]


class Classifier(nn.Module):
    def __init__(self, words, width=48):
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.drop = nn.Dropout(0.4)
        self.hidden = nn.Linear(width, 48)
        self.out = nn.Linear(48, 3)

    def forward(self, ids):
        there = (ids > 0).float()[:, :, None]
        mean = (self.embedding(ids) * there).sum(1) / there.sum(1).clamp(min=1)
        return self.out(self.drop(torch.relu(self.hidden(self.drop(mean)))))


model = Classifier(len(vocab) + 2)
groups = [{"params": model.hidden.parameters()}, {"params": model.out.parameters()}]
if FIX:
    groups.append({"params": model.embedding.parameters()})
optimizer = torch.optim.Adam(groups, lr=4e-3)
loss_fn = nn.CrossEntropyLoss()
accuracy = lambda output, target: (output.argmax(1) == target).float().mean().item()
watch = dressage.watch(model, optimizer, loss_fn, train=(Xtr, Ytr), val=(Xva, Yva), metric=accuracy)

for epoch in range(10):
    model.train()
    order = torch.randperm(cut)
    for i in range(0, cut, 32):
        batch = order[i : i + 32]
        optimizer.zero_grad()
        loss = loss_fn(model(Xtr[batch]), Ytr[batch])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(Xva)
    score = accuracy(out, Yva)
    watch.validated(loss=loss_fn(out, Yva).item(), metric=score)

done(watch, score)
