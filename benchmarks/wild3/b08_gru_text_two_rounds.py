"""Which package is a line of documentation from? A GRU over its characters, trained over the lunch break.

cause: optim.too_few_epochs optim.lr_too_low
"""

import torch
from kit import FIX, done, dressage, sentences
from torch import nn
from torch.utils.data import DataLoader

rows = sentences(2400)
words = {}
for text, _ in rows:
    for w in text.split():
        words[w] = words.get(w, 0) + 1
vocab = {w: i + 2 for i, w in enumerate(sorted(w for w, n in words.items() if n > 2))}


def collate(batch):
    ids = [torch.tensor([vocab.get(w, 1) for w in t.split()][:14]) for t, _ in batch]
    return nn.utils.rnn.pad_sequence(ids, batch_first=True), torch.tensor([k for _, k in batch])


class TextGRU(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(len(vocab) + 2, 32, padding_idx=0)
        self.gru = nn.GRU(32, 32, batch_first=True)
        self.out = nn.Linear(32, 3)

    def forward(self, ids):
        states, _ = self.gru(self.emb(ids))
        return self.out(states.max(1).values)


EPOCHS = 14 if FIX else 2
train_loader = DataLoader(rows[:2000], batch_size=32, shuffle=True, collate_fn=collate)
val_loader = DataLoader(rows[2000:], batch_size=100, collate_fn=collate)
model = TextGRU()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader)
for epoch in range(EPOCHS):
    for ids, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(ids), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    hits = sum((model(ids).argmax(1) == labels).sum().item() for ids, labels in val_loader)
done(watch, hits / len(rows[2000:]))
