"""Lines of documentation, sparse word vectors and SparseAdam."""

import re
import zlib

import torch
import torch.nn as nn
from kit import done, dressage, sentences

BUCKETS, LENGTH = 3000, 14
rows = sentences(3000)
X = torch.zeros(len(rows), LENGTH, dtype=torch.long)
for i, (text, _) in enumerate(rows):
    for j, w in enumerate(re.findall(r"\w+", text)[:LENGTH]):
        X[i, j] = 1 + zlib.crc32(w.encode()) % (BUCKETS - 1)
y = torch.tensor([k for _, k in rows])
X_train, y_train, X_test, y_test = X[:2500], y[:2500], X[2500:], y[2500:]


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.bag = nn.EmbeddingBag(BUCKETS, 3, mode="mean", sparse=True, padding_idx=0)

    def forward(self, ids):
        return self.bag(ids)


model = Bag()
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=0.03)
watch = dressage.watch(model, optimizer, loss_fn, train=(X_train, y_train), val=(X_test, y_test))
for epoch in range(5):
    for rows in torch.randperm(len(X_train)).split(25):
        optimizer.zero_grad()
        loss = loss_fn(model(X_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, (model(X_test).argmax(1) == y_test).float().mean())
