"""Which package, from the first two words of a line: many lines begin alike in all three."""

import torch
from kit import done, dressage, sentences
from torch import nn

rows = sentences(3000)
heads = [(t.split()[:2], k) for t, k in rows]
counts = {}
for words, _ in heads[:2500]:
    for w in words:
        counts[w] = counts.get(w, 0) + 1
vocab = {w: i + 1 for i, w in enumerate(sorted(w for w, n in counts.items() if n > 4))}
X = torch.tensor([[vocab.get(w, 0) for w in words] for words, _ in heads])
Y = torch.tensor([k for _, k in heads])


class TwoWords(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(len(vocab) + 1, 8)
        self.out = nn.Linear(16, 3)

    def forward(self, ids):
        return self.out(self.table(ids).flatten(1))


model = TwoWords()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
watch = dressage.watch(model, optimizer, criterion, train=(X[:2500], Y[:2500]), val=(X[2500:], Y[2500:]))
for epoch in range(8):
    for b in torch.randperm(2500).split(32):
        optimizer.zero_grad()
        loss = criterion(model(X[b]), Y[b])
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, (model(X[2500:]).argmax(1) == Y[2500:]).float().mean())
