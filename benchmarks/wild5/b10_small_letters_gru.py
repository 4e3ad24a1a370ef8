"""The next letter of documentation, a GRU over windows of forty letters.

cause: model.bottleneck
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, sentences
from torch.utils.data import DataLoader, TensorDataset

text = "\n".join(line for line, _ in sentences(2400))
chars = sorted(set(text))
ids = torch.tensor([chars.index(c) for c in text[:90000]])
windows = ids[: len(ids) // 41 * 41].view(-1, 41)
train = TensorDataset(windows[:1800, :-1], windows[:1800, 1:])
x_val, y_val = windows[1800:2100, :-1], windows[1800:2100, 1:]


class CharGRU(nn.Module):
    def __init__(self, vocab, emb=16, hidden=2, layers=1):
        super().__init__()
        self.emb = nn.Embedding(vocab, emb)
        self.gru = nn.GRU(emb, hidden, layers, batch_first=True)
        self.fc = nn.Linear(hidden, vocab)

    def forward(self, x):
        out, _ = self.gru(self.emb(x))
        return self.fc(out).transpose(1, 2)


model = CharGRU(len(chars), hidden=64 if FIX else 2)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
watch = dressage.watch(model, optimizer, F.cross_entropy, train=train, val=(x_val, y_val))
for epoch in range(8):
    for xb, yb in DataLoader(train, batch_size=32, shuffle=True, drop_last=True):
        loss = F.cross_entropy(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, -F.cross_entropy(model(x_val), y_val))
