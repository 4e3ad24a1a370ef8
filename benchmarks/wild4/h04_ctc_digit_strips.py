"""Reads strips of two to four digits with the CTC loss (score: share of digits right by edit distance)."""

import random

import torch
from kit import SEED, done, dressage
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset

images, labels = load_digits(return_X_y=True)
images = torch.tensor(images.reshape(-1, 8, 8) / 16, dtype=torch.float32)


class Strips(Dataset):
    def __init__(self, first, last, n, seed):
        rng = random.Random(seed)
        self.items = [[rng.randrange(first, last) for _ in range(rng.randint(2, 4))] for _ in range(n)]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        rows = self.items[i]
        strip = torch.zeros(8, 36)
        for k, r in enumerate(rows):
            strip[:, 9 * k : 9 * k + 8] = images[r]
        return strip, torch.tensor([int(labels[r]) + 1 for r in rows])


def collate(batch):
    strips = torch.stack([s for s, _ in batch])
    return strips, torch.cat([t for _, t in batch]), torch.tensor([len(t) for _, t in batch])


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(8, 64, 7, padding=3)
        self.rnn = nn.GRU(64, 48, bidirectional=True, batch_first=True)
        self.head = nn.Linear(96, 11)

    def forward(self, x):
        h, _ = self.rnn(torch.relu(self.conv(x))[:, :, ::2].transpose(1, 2))
        return self.head(h).log_softmax(2).transpose(0, 1)


def distance(a, b):
    row = list(range(len(b) + 1))
    for i, p in enumerate(a, 1):
        row, old = [i], row
        for j, q in enumerate(b, 1):
            row.append(min(row[-1] + 1, old[j] + 1, old[j - 1] + (p != q)))
    return row[-1]


train = DataLoader(Strips(0, 1400, 1600, SEED), 32, shuffle=True, collate_fn=collate)
test = Strips(1400, 1797, 200, SEED + 100)
model = Reader()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=450, pct_start=0.1)
ctc = nn.CTCLoss(blank=0, zero_infinity=True)
watch = dressage.watch(model, optimizer, ctc, train=train)
for epoch in range(9):
    for strips, targets, lengths in train:
        out = model(strips)
        loss = ctc(out, targets, torch.full((len(strips),), out.shape[0]), lengths)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        watch.step(loss)
        scheduler.step()
wrong = total = 0
model.eval()
with torch.no_grad():
    for strip, target in test:
        path = model(strip[None]).argmax(2).squeeze(1).unique_consecutive()
        wrong += distance(path[path > 0].tolist(), target.tolist())
        total += len(target)
done(watch, 1 - wrong / total)
