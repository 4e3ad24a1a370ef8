"""Name the movement behind a sensor trace of any length: a packed LSTM, gradients gathered over two small batches."""

import numpy as np
import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader

from kit import SEED, done, dressage

rng = np.random.RandomState(SEED)


def trace(kind):
    n = rng.randint(12, 34)
    t = np.arange(n)
    period = rng.uniform(6, 12)
    wave = np.sin(2 * np.pi * t / period + rng.uniform(0, 6))
    if kind == 1:
        wave = np.sign(wave) * 0.9
    elif kind == 2:
        wave = 2 * ((t / period + rng.rand()) % 1) - 1
    elif kind == 3:
        wave = wave * np.linspace(1.4, 0.2, n)
    other = np.roll(wave, 2) * rng.uniform(0.5, 1) + 0.25 * rng.randn(n)
    return torch.tensor(np.stack([wave + 0.25 * rng.randn(n), other], 1)).float()


kinds = rng.randint(0, 4, 2600)
rows = [(trace(k), int(k)) for k in kinds]


def collate(batch):
    seqs, labels = zip(*batch)
    return pad_sequence(seqs, batch_first=True), torch.tensor([len(s) for s in seqs]), torch.tensor(labels)


train_loader = DataLoader(rows[:2000], batch_size=16, shuffle=True, collate_fn=collate)
val_loader = DataLoader(rows[2000:], batch_size=100, collate_fn=collate)


class TraceNet(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.lstm = nn.LSTM(2, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(hidden, 4))

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)
        return self.head(h[-1])


model = TraceNet()
optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
EPOCHS, GATHER = 10, 2
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer)

for epoch in range(EPOCHS):
    model.train()
    optimizer.zero_grad()
    total = 0.0
    for i, (x, lengths, y) in enumerate(train_loader, 1):
        loss = criterion(model(x, lengths), y) / GATHER
        loss.backward()
        total += loss.item()
        if i % GATHER == 0:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            watch.step(total)
            optimizer.zero_grad()
            total = 0.0
    scheduler.step()
    model.eval()
    hits = nll = 0
    with torch.no_grad():
        for x, lengths, y in val_loader:
            out = model(x, lengths)
            hits += (out.argmax(1) == y).sum().item()
            nll += criterion(out, y).item() * len(y)
    watch.validated(loss=nll / 600, metric=hits / 600)

done(watch, hits / 600)
