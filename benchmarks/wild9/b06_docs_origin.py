"""From which package does a line of documentation come: a bag of words with a small net.

cause: eval.train_mode_at_eval
"""

import re
from collections import Counter

import torch
import torch.nn as nn
from torch.utils.data import DataLoader

from kit import FIX, done, dressage, sentences

rows = sentences(3000)
train_rows, val_rows = rows[:2300], rows[2300:]
tokenise = re.compile(r"[a-z_]+").findall
counts = Counter(w for text, _ in train_rows for w in tokenise(text))
vocab = {w: i + 1 for i, (w, c) in enumerate(counts.most_common(3000)) if c > 1}


def collate(batch):
    ids, offsets, labels = [], [], []
    for text, label in batch:
        offsets.append(len(ids))
        ids += [vocab.get(w, 0) for w in tokenise(text)] or [0]
        labels.append(label)
    return torch.tensor(ids), torch.tensor(offsets), torch.tensor(labels)


train_loader = DataLoader(train_rows, batch_size=32, shuffle=True, collate_fn=collate)
val_loader = DataLoader(val_rows, batch_size=100, collate_fn=collate)


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.EmbeddingBag(len(vocab) + 1, 48, mode="mean")
        self.head = nn.Sequential(nn.Dropout(0.6), nn.Linear(48, 48), nn.ReLU(), nn.Dropout(0.6), nn.Linear(48, 3))

    def forward(self, ids, offsets):
        return self.head(self.emb(ids, offsets))


model = Bag()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader)

for epoch in range(12):
    model.train()
    for ids, offsets, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(ids, offsets), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)

    if FIX:
        model.eval()
    val_loss, right = 0.0, 0
    with torch.no_grad():
        for ids, offsets, labels in val_loader:
            out = model(ids, offsets)
            val_loss += criterion(out, labels).item() * len(labels)
            right += (out.argmax(1) == labels).sum().item()
    watch.validated(loss=val_loss / len(val_rows), metric=right / len(val_rows))

done(watch, right / len(val_rows))
