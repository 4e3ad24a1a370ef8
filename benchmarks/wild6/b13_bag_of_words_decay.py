"""Which package a sentence is from: mean of word vectors, Adam with decay.

cause: optim.over_regularised
"""

from collections import Counter

import torch
import torch.nn as nn
from kit import FIX, done, dressage, sentences
from torch.utils.data import DataLoader, Dataset

rows = [r for r in sentences(3000) if r[1] != 2]
train_rows, val_rows = rows[:1500], rows[1500:]
counts = Counter(w for t, _ in train_rows for w in t.split())
vocab = {w: i + 2 for i, (w, _) in enumerate(counts.most_common(2000))}
MAXLEN = 16


class TextDataset(Dataset):
    def __init__(self, rows):
        self.items = []
        for text, label in rows:
            ids = [vocab.get(w, 1) for w in text.split()][:MAXLEN]
            self.items.append((torch.tensor(ids + [0] * (MAXLEN - len(ids))), label))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


class BagOfWords(nn.Module):
    def __init__(self, dim=48):
        super().__init__()
        self.embedding = nn.Embedding(len(vocab) + 2, dim, padding_idx=0)
        self.fc1 = nn.Linear(dim, 32)
        self.fc2 = nn.Linear(32, 2)

    def forward(self, x):
        mask = (x != 0).unsqueeze(-1).float()
        h = (self.embedding(x) * mask).sum(1) / mask.sum(1).clamp(min=1)
        return self.fc2(torch.relu(self.fc1(h)))


train_loader = DataLoader(TextDataset(train_rows), batch_size=32, shuffle=True)
val_loader = DataLoader(TextDataset(val_rows), batch_size=100)
model = BagOfWords()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-5 if FIX else 0.05)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader)
for epoch in range(6):
    model.train()
    for tokens, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(tokens), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    val_loss, right, n = 0.0, 0, 0
    with torch.no_grad():
        for tokens, labels in val_loader:
            out = model(tokens)
            val_loss += criterion(out, labels).item() * len(labels)
            right += (out.argmax(1) == labels).sum().item()
            n += len(labels)
    watch.validated(loss=val_loss / n, metric=right / n)
done(watch, right / n)
