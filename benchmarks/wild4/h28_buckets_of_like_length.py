"""Lines sorted by length into buckets, buckets in random order, padded by collate_fn (which package; majority .35)."""

import random

import torch
from kit import SEED, done, dressage, sentences
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

rows = sentences(3600)
words = {}
for text, _ in rows[:2800]:
    for w in text.split():
        words[w] = words.get(w, 0) + 1
number = {w: i + 2 for i, w in enumerate(sorted(w for w, c in words.items() if c > 1))}
coded = [(torch.tensor([number.get(w, 1) for w in text.split()]), k) for text, k in rows]
train, val = sorted(coded[:2800], key=lambda r: len(r[0])), coded[2800:3400]


class Buckets:
    def __init__(self, n, size):
        self.n, self.size, self.rng = n, size, random.Random(SEED)

    def __len__(self):
        return (self.n + self.size - 1) // self.size

    def __iter__(self):
        starts = list(range(0, self.n, self.size))
        self.rng.shuffle(starts)
        for s in starts:
            yield list(range(s, min(self.n, s + self.size)))


def collate(batch):
    return pad_sequence([t for t, _ in batch], True), torch.tensor([k for _, k in batch])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(number) + 2, 48, padding_idx=0)
        self.drop = nn.Dropout(0.3)
        self.conv = nn.Conv1d(48, 64, 3, padding=1)
        self.head = nn.Linear(64, 3)

    def forward(self, tokens):
        h = torch.relu(self.conv(self.drop(self.embed(tokens)).transpose(1, 2)))
        h = h.masked_fill(tokens[:, None] == 0, 0)
        return self.head(self.drop(h.amax(2)))


loader = DataLoader(train, batch_sampler=Buckets(len(train), 28), collate_fn=collate)
val_loader = DataLoader(val, batch_size=100, collate_fn=collate)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer, criterion, train=loader, val=val_loader)
for epoch in range(12):
    model.train()
    for tokens, package in loader:
        optimizer.zero_grad()
        loss = criterion(model(tokens), package)
        loss.backward()
        optimizer.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    right = sum((model(a).argmax(1) == b).sum().item() for a, b in val_loader)
done(watch, right / len(val))
