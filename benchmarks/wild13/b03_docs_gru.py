"""Tell from a line of documentation which Python package it comes from.

cause: eval.preprocess_mismatch
"""

from collections import Counter

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, sentences

MAX_LEN, VOCAB = 16, 3000


def build_vocab(texts):
    counts = Counter(w for t in texts for w in t.split())
    return {w: i + 2 for i, (w, _) in enumerate(counts.most_common(VOCAB - 2))}


def make_dataset(rows, vocab=None):
    texts = [t for t, _ in rows]
    if vocab is None:
        vocab = build_vocab(texts)
    ids = torch.zeros(len(texts), MAX_LEN, dtype=torch.long)
    for r, t in enumerate(texts):
        words = [vocab.get(w, 1) for w in t.split()][:MAX_LEN]
        ids[r, : len(words)] = torch.tensor(words)
    return TensorDataset(ids, torch.tensor([k for _, k in rows])), vocab


rows = sentences(6000)
cut = int(0.8 * len(rows))
train_ds, vocab = make_dataset(rows[:cut])
val_ds, _ = make_dataset(rows[cut:], vocab if FIX else None)
train_dl = DataLoader(train_ds, 64, shuffle=True)
val_dl = DataLoader(val_ds, 200)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(VOCAB, 32, padding_idx=0)
        self.gru = nn.GRU(32, 32, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(64, 3)

    def forward(self, ids):
        h, _ = self.gru(self.drop(self.emb(ids)))
        return self.out(self.drop(h.max(1).values))


model = Classifier()
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.01)
accuracy = lambda out, y: (out.argmax(1) == y).float().mean().item()
watch = dressage.watch(model, optimizer, loss_fn, train=train_dl, val=val_dl, metric=accuracy)

for epoch in range(9):
    model.train()
    for ids, y in train_dl:
        loss = loss_fn(model(ids), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        outs = torch.cat([model(ids) for ids, _ in val_dl])
    ys = val_ds.tensors[1]
    acc = accuracy(outs, ys)
    watch.validated(loss=loss_fn(outs, ys).item(), metric=acc)

done(watch, acc)
