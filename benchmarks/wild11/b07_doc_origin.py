"""From which of three libraries does a line of documentation come?

cause: model.wrong_output_size
"""

import re
from collections import Counter

import torch
import torch.nn as nn
from torch.utils.data import DataLoader

from kit import FIX, done, dressage, sentences


def words(text):
    return re.findall(r"\w+", text)


rows = sentences(3000)
train_rows, test_rows = rows[:2400], rows[2400:]
counts = Counter(w for text, _ in train_rows for w in words(text))
vocab = {w: i + 1 for i, (w, c) in enumerate(counts.most_common(6000))}


def collate(batch):
    ids, offsets, labels = [], [], []
    for text, label in batch:
        offsets.append(len(ids))
        ids += [vocab.get(w, 0) for w in words(text)]
        labels.append(label)
    labels = torch.tensor(labels) if FIX else torch.tensor(labels, dtype=torch.float32)
    return torch.tensor(ids), torch.tensor(offsets), labels


class BagOfWords(nn.Module):
    def __init__(self, vocab_size, dim, num_out):
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocab_size, dim)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(dim, num_out)

    def forward(self, ids, offsets):
        return self.fc(self.drop(self.embedding(ids, offsets))).squeeze(1)


model = BagOfWords(len(vocab) + 1, 48, 3 if FIX else 1)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
criterion = nn.CrossEntropyLoss() if FIX else nn.BCEWithLogitsLoss()
train_loader = DataLoader(train_rows, batch_size=32, shuffle=True, collate_fn=collate)
test_loader = DataLoader(test_rows, batch_size=100, collate_fn=collate)
watch = dressage.watch(model, optimizer)


def evaluate():
    model.eval()
    correct, losses = 0, []
    with torch.no_grad():
        for ids, offsets, label in test_loader:
            out = model(ids, offsets)
            losses.append(criterion(out, label).item())
            guess = out.argmax(1) if FIX else (torch.sigmoid(out) > 0.5).float()
            correct += (guess == label).sum().item()
    return correct / len(test_rows), sum(losses) / len(losses)


for epoch in range(8):
    model.train()
    for ids, offsets, label in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(ids, offsets), label)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    acc, val_loss = evaluate()
    watch.validated(loss=val_loss, metric=acc)

done(watch, acc)
