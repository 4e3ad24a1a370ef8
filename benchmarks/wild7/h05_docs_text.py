"""Which package is this line of documentation from? A bag-of-words text classifier."""

import re
from collections import Counter

import torch
from torch import nn
from torch.utils.data import DataLoader

from kit import done, dressage, sentences

rows = sentences(3000)
tokenize = lambda s: re.findall(r"[a-z_]+|\d|[^\w\s]", s)
train_rows, valid_rows = rows[:2300], rows[2300:]

counts = Counter(w for s, _ in train_rows for w in tokenize(s))
vocab = {w: i + 1 for i, (w, c) in enumerate(counts.most_common()) if c >= 2}
print("vocabulary", len(vocab))


def collate(batch):
    texts, labels, offsets = [], [], [0]
    for s, k in batch:
        ids = [vocab.get(w, 0) for w in tokenize(s)]
        texts += ids
        offsets.append(offsets[-1] + len(ids))
        labels.append(k)
    return torch.tensor(texts), torch.tensor(offsets[:-1]), torch.tensor(labels)


class TextModel(nn.Module):
    def __init__(self, n, d=32, classes=3):
        super().__init__()
        self.bag = nn.EmbeddingBag(n, d, mode="mean")
        nn.init.normal_(self.bag.weight, std=0.1)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(d, classes)

    def forward(self, text, offsets):
        return self.fc(self.drop(self.bag(text, offsets)))


EPOCHS = 7
model = TextModel(len(vocab) + 1)
train_dl = DataLoader(train_rows, 32, shuffle=True, collate_fn=collate)
valid_dl = DataLoader(valid_rows, 256, collate_fn=collate)
opt = torch.optim.Adam(model.parameters(), lr=4e-3)
sched = torch.optim.lr_scheduler.OneCycleLR(opt, 6e-3, total_steps=EPOCHS * len(train_dl))
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(model, opt)

for epoch in range(EPOCHS):
    model.train()
    for text, offsets, label in train_dl:
        opt.zero_grad()
        loss = criterion(model(text, offsets), label)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        sched.step()
        watch.step(loss)
    model.eval()
    hit = total = 0
    vloss = 0.0
    with torch.no_grad():
        for text, offsets, label in valid_dl:
            out = model(text, offsets)
            vloss += criterion(out, label).item() * len(label)
            hit += (out.argmax(1) == label).sum().item()
            total += len(label)
    watch.validated(loss=vloss / total, metric=hit / total)
    print(epoch, f"train {loss.item():.3f} valid {vloss / total:.4f} acc {hit / total:.4f}")
done(watch, hit / total)
