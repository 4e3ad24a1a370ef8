"""Which package is a documentation line from: words and word pairs, averaged embeddings."""

from collections import Counter

import torch
from torch import nn

from kit import done, dressage, sentences

rows = sentences(6000)
cut = int(0.8 * len(rows))


def grams(text):
    w = text.replace(".", " ").replace(",", " ").replace("`", " ").split()
    return w + [a + " " + b for a, b in zip(w, w[1:])]


counts = Counter(g for t, _ in rows[:cut] for g in grams(t))
vocab = {g: i + 1 for i, g in enumerate(g for g, c in counts.items() if c > 1)}
bags = [torch.tensor([vocab[g] for g in grams(t) if g in vocab] or [0]) for t, _ in rows]
labels = torch.tensor([k for _, k in rows])


def collate(ids):
    chosen = [bags[i] for i in ids]
    offsets = torch.tensor([0] + [len(b) for b in chosen[:-1]]).cumsum(0)
    return torch.cat(chosen), offsets, labels[ids]


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.bag = nn.EmbeddingBag(len(vocab) + 1, 48, mode="mean")
        nn.init.normal_(self.bag.weight, std=0.1)
        self.drop = nn.Dropout(0.5)
        self.out = nn.Linear(48, 3)

    def forward(self, tokens, offsets):
        return self.out(self.drop(self.bag(tokens, offsets)))


model = Bag()
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.3)
schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=8)
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer)
val_tokens, val_offsets, val_y = collate(list(range(cut, len(rows))))
for epoch in range(8):
    model.train()
    for ids in torch.randperm(cut).split(48):
        tokens, offsets, y = collate(ids.tolist())
        loss = criterion(model(tokens, offsets), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    schedule.step()
    model.eval()
    with torch.no_grad():
        out = model(val_tokens, val_offsets)
    acc = (out.argmax(1) == val_y).float().mean().item()
    watch.validated(loss=criterion(out, val_y).item(), metric=acc)
done(watch, acc)
