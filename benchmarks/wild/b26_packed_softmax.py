"""GRU over packed rows of digits (blank rows at the end are cut off); forward ends in softmax, the loss is
CrossEntropyLoss.

cause: loss.double_softmax
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader

x, y = idx("mnist", "train", 3000)
x = torch.tensor(x[:, ::2, ::2] / 255.0, dtype=torch.float32)


def cut(p):
    rows = p.sum(1).nonzero().flatten()
    return p[rows[0] : rows[-1] + 1]


rows = [(cut(p), int(k)) for p, k in zip(x, y)]


def collate(batch):
    seqs = [s for s, _ in batch]
    return (
        pad_sequence(seqs, batch_first=True),
        torch.tensor([len(s) for s in seqs]),
        torch.tensor([k for _, k in batch]),
    )


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(14, 48, batch_first=True)
        self.fc = nn.Linear(48, 10)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, h = self.gru(packed)
        out = self.fc(h[-1])
        return out if FIX else torch.softmax(out, dim=-1)


train, test = (
    DataLoader(rows[:2400], 32, shuffle=True, collate_fn=collate),
    DataLoader(rows[2400:], 100, collate_fn=collate),
)
model = Reader()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
watch = dressage.watch(model, optimizer, criterion, train=train, val=test)
for epoch in range(4):
    for x, n, y in train:
        optimizer.zero_grad()
        loss = criterion(model(x, n), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        watch.step(loss)
    with torch.no_grad():
        acc = torch.cat([model(x, n).argmax(1) == y for x, n, y in test]).float().mean().item()
    watch.validated(metric=acc)
    print(epoch, loss.item(), acc)
done(watch, acc)
