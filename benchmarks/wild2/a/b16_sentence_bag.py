"""Short texts, a mean of word vectors and a linear layer, SGD.

cause: optim.lr_too_low
"""

import re
from collections import Counter

import torch
import torch.nn as nn
from kit import FIX, done, dressage, sentences
from torch.utils.data import DataLoader, TensorDataset

rows = sentences(2700)
tokens = [re.findall(r"\w+", t) for t, _ in rows]
counts = Counter(w for ts in tokens[:2200] for w in ts)
vocab = {w: i + 2 for i, (w, c) in enumerate(counts.most_common(1500))}
LENGTH = 16
ids = torch.zeros(len(rows), LENGTH, dtype=torch.long)
for i, ts in enumerate(tokens):
    for j, w in enumerate(ts[:LENGTH]):
        ids[i, j] = vocab.get(w, 1)
labels = torch.tensor([k for _, k in rows])
train_data = TensorDataset(ids[:2200], labels[:2200])
test_data = TensorDataset(ids[2200:], labels[2200:])


class TextClassifier(nn.Module):
    def __init__(self, vocab_size, dim, classes):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, dim, padding_idx=0)
        self.fc = nn.Linear(dim, classes)

    def forward(self, text):
        mask = (text != 0).float().unsqueeze(-1)
        mean = (self.embedding(text) * mask).sum(1) / mask.sum(1).clamp(min=1)
        return self.fc(mean)


model = TextClassifier(len(vocab) + 2, 32, 3)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=2.0 if FIX else 0.001)
loader = DataLoader(train_data, batch_size=16, shuffle=True)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=test_data)
for epoch in range(10):
    total = 0.0
    for text, label in loader:
        optimizer.zero_grad()
        loss = criterion(model(text), label)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        total += loss.item()
    print(f"epoch {epoch} loss {total / len(loader):.4f}")
with torch.no_grad():
    done(watch, (model(ids[2200:]).argmax(1) == labels[2200:]).float().mean())
