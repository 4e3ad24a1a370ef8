"""Which package is this sentence of documentation from? Bag of embeddings.

cause: optim.lr_too_low
"""

import re
from collections import Counter

import torch
import torch.nn as nn
from kit import FIX, done, dressage, sentences

LEARNING_RATE = 2e-3 if FIX else 2e-5
EPOCHS = 12
BATCH = 32

rows = sentences(3000)
tokenize = re.compile(r"[a-z]+").findall
counts = Counter(w for text, _ in rows[:2400] for w in tokenize(text))
vocab = {w: i + 1 for i, (w, c) in enumerate(counts.most_common()) if c > 1}


def collate(batch):
    ids, offsets, labels = [], [], []
    for text, label in batch:
        offsets.append(len(ids))
        ids += [vocab.get(w, 0) for w in tokenize(text)] or [0]
        labels.append(label)
    return torch.tensor(ids), torch.tensor(offsets), torch.tensor(labels)


train_loader = torch.utils.data.DataLoader(rows[:2400], batch_size=BATCH, shuffle=True, collate_fn=collate)
val_loader = torch.utils.data.DataLoader(rows[2400:], batch_size=200, collate_fn=collate)


class TextClassifier(nn.Module):
    def __init__(self, vocab_size, dim=64, classes=3):
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocab_size, dim, mode="mean")
        self.dropout = nn.Dropout(0.3)
        self.fc = nn.Sequential(nn.Linear(dim, 64), nn.ReLU(), nn.Linear(64, classes))

    def forward(self, ids, offsets):
        return self.fc(self.dropout(self.embedding(ids, offsets)))


model = TextClassifier(len(vocab) + 1)
optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
watch = dressage.watch(model, optimizer, nn.functional.cross_entropy)

for epoch in range(EPOCHS):
    model.train()
    for ids, offsets, labels in train_loader:
        loss = nn.functional.cross_entropy(model(ids, offsets), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)

    model.eval()
    hits, n, total = 0, 0, 0.0
    with torch.no_grad():
        for ids, offsets, labels in val_loader:
            logits = model(ids, offsets)
            total += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
            hits += (logits.argmax(-1) == labels).sum().item()
            n += len(labels)
    print(epoch, total / n, hits / n)
    watch.validated(loss=total / n, metric=hits / n)

done(watch, hits / n)
