"""Sentences of unlike length, padded with zeros; a GRU over packed words tells the package."""

from collections import Counter

import torch
import torch.nn as nn
from kit import done, dressage, sentences
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

rows = [r for r in sentences(3600) if r[1] != 2]
train_rows, val_rows = rows[:1900], rows[1900:]
counts = Counter(w for t, _ in train_rows for w in t.split())
vocab = {w: i + 2 for i, (w, _) in enumerate(counts.most_common(1500))}


def encode(part):
    ids = [torch.tensor([vocab.get(w, 1) for w in t.split()]) for t, _ in part]
    return pad_sequence(ids, batch_first=True), torch.tensor([k for _, k in part])


class TextGRU(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(len(vocab) + 2, 32, padding_idx=0)
        self.gru = nn.GRU(32, 32, batch_first=True)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(32, 2)

    def forward(self, x):
        lengths = (x != 0).sum(1).clamp(min=1)
        packed = pack_padded_sequence(self.emb(x), lengths, batch_first=True, enforce_sorted=False)
        out, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, padding_value=-1.0)
        return self.fc(self.drop(out.max(1).values))


x_train, y_train = encode(train_rows)
x_val, y_val = encode(val_rows)
model = TextGRU()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
watch = dressage.watch(model, optimizer, criterion, train=(x_train, y_train), val=(x_val, y_val))
for epoch in range(6):
    model.train()
    for rows in torch.randperm(len(y_train)).split(16):
        optimizer.zero_grad()
        loss = criterion(model(x_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(x_val)
    acc = (out.argmax(1) == y_val).float().mean().item()
    watch.validated(loss=criterion(out, y_val).item(), metric=acc)
done(watch, acc)
