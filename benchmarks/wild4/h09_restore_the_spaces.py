"""Text without spaces: tags each letter after which a space stood; padded batches, ignore_index (score: F1)."""

import torch
from kit import done, dressage, sentences
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

lines = [t for t, _ in sentences(2700)]
alphabet = {c: i + 1 for i, c in enumerate("abcdefghijklmnopqrstuvwxyz")}


def encode(line):
    letters, tags = [], []
    for c in line:
        if c == " ":
            if tags:
                tags[-1] = 1
        elif c in alphabet:
            letters.append(alphabet[c])
            tags.append(0)
    return torch.tensor(letters), torch.tensor(tags)


def collate(batch):
    a, b = zip(*batch)
    return pad_sequence(a, True, 0), pad_sequence(b, True, -100)


rows = [encode(t[:48]) for t in lines]
train, val = rows[:1600], rows[2400:2640]
loader, val_loader = DataLoader(train, 32, shuffle=True, collate_fn=collate), DataLoader(val, 100, collate_fn=collate)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(27, 24, padding_idx=0)
        self.conv = nn.Conv1d(24, 48, 5, padding=2)
        self.rnn = nn.GRU(48, 24, batch_first=True, bidirectional=True)
        self.head = nn.Linear(48, 2)

    def forward(self, x):
        h = torch.relu(self.conv(self.embed(x).transpose(1, 2))).transpose(1, 2)
        return self.head(self.rnn(h)[0]).transpose(1, 2)


model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
criterion = nn.CrossEntropyLoss(ignore_index=-100)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=val_loader)
for epoch in range(5):
    for letters, tags in loader:
        optimizer.zero_grad()
        loss = criterion(model(letters), tags)
        loss.backward()
        optimizer.step()
        watch.step(loss)
tp = fp = fn = 0
with torch.no_grad():
    for letters, tags in val_loader:
        guess = model(letters).argmax(1)
        tp += ((guess == 1) & (tags == 1)).sum().item()
        fp += ((guess == 1) & (tags == 0)).sum().item()
        fn += ((guess == 0) & (tags == 1)).sum().item()
done(watch, 2 * tp / (2 * tp + fp + fn))
