"""Vowel, consonant, or which kind of sign comes next: a tag at every place of a line (accuracy).

cause: loss.double_softmax
"""

import torch
from kit import FIX, done, dressage, sentences
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

text = " ".join(t for t, _ in sentences(2400))
chars = sorted(set(text))
codes = torch.tensor([chars.index(c) for c in text])
common = codes.bincount().argsort(descending=True)[:25]
tag_of = torch.full((len(chars),), 25)
tag_of[common] = torch.arange(25)
T = 20
n = len(codes) // T - 1
inputs, tags = codes[: n * T].view(n, T), tag_of[codes[1 : n * T + 1]].view(n, T)
cut = int(0.85 * n)
train, val = TensorDataset(inputs[:cut], tags[:cut]), TensorDataset(inputs[cut:], tags[cut:])


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(chars), 24)
        self.rnn = nn.GRU(24, 64, batch_first=True)
        self.out = nn.Linear(64, 26)

    def forward(self, x):
        h, _ = self.rnn(self.embed(x))
        scores = self.out(h)
        if not FIX:
            scores = torch.softmax(scores, dim=-1)
        return scores.permute(0, 2, 1)


model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()
loader = DataLoader(train, batch_size=32, shuffle=True)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=val)
step = 0
while step < 400:
    for a, b in loader:
        optimizer.zero_grad()
        loss = criterion(model(a), b)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        step += 1
        if step == 400:
            break
a, b = val[:600]
with torch.no_grad():
    done(watch, (model(a).argmax(1) == b).float().mean())
