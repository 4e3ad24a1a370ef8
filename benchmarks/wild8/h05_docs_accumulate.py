"""Which package is a documentation line from? Bag of word pieces, label smoothing, gradients accumulated over four batches."""

import re
import zlib

import torch
from torch import nn
from torch.utils.data import DataLoader

from kit import done, dressage, sentences

N = 8000
rows = sentences(4500)
cut = int(0.8 * len(rows))


def tokens(text):
    words = re.findall(r"[a-z_]+|[0-9]+", text)
    grams = words + [w[i : i + 4] for w in words for i in range(len(w) - 3)]
    return [zlib.crc32(g.encode()) % N for g in grams] or [0]


def collate(batch):
    ids, offsets, labels = [], [], []
    for text, k in batch:
        offsets.append(len(ids))
        ids += tokens(text)
        labels.append(k)
    return torch.tensor(ids), torch.tensor(offsets), torch.tensor(labels)


train_loader = DataLoader(rows[:cut], batch_size=16, shuffle=True, collate_fn=collate)
val_loader = DataLoader(rows[cut:], batch_size=200, collate_fn=collate)


class TextModel(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.bag = nn.EmbeddingBag(N, dim, mode="mean")
        nn.init.normal_(self.bag.weight, std=0.1)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(dim, 3)

    def forward(self, ids, offsets):
        return self.fc(self.drop(self.bag(ids, offsets)))


model = TextModel()
loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
epochs, accumulate = 8, 4
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
total = epochs * (len(train_loader) // accumulate)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: max(0.0, 1 - s / total))
watch = dressage.watch(model, optimizer, loss_fn)

for epoch in range(epochs):
    model.train()
    for i, (ids, offsets, labels) in enumerate(train_loader):
        loss = loss_fn(model(ids, offsets), labels)
        (loss / accumulate).backward()
        if (i + 1) % accumulate == 0:
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            watch.step(loss)
    model.eval()
    with torch.no_grad():
        res = [(model(ids, o), k) for ids, o, k in val_loader]
    out, k = torch.cat([r[0] for r in res]), torch.cat([r[1] for r in res])
    acc = (out.argmax(1) == k).float().mean().item()
    watch.validated(loss=loss_fn(out, k).item(), metric=acc)
    print(epoch, round(loss.item(), 3), round(loss_fn(out, k).item(), 3), round(acc, 3))
done(watch, acc)
