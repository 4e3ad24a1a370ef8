"""Which letters belong to long words? Convolutions and a transformer over lines, padding ignored, a rate that begins near zero."""

import re

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage, sentences
from torch.utils.data import DataLoader, TensorDataset

LEN, D, WARM = 48, 48, 80
lines = [line[:LEN] for line, _ in sentences(3000)]
chars = sorted(set("".join(lines)))
x = torch.zeros(len(lines), LEN, dtype=torch.long)
y = torch.full((len(lines), LEN), -100)
for r, line in enumerate(lines):
    x[r, : len(line)] = torch.tensor([chars.index(c) + 1 for c in line])
    for word in re.finditer(r"\w+", line):
        y[r, word.start() : word.end()] = int(len(word.group()) >= 7)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok, self.pos = nn.Embedding(len(chars) + 1, D, padding_idx=0), nn.Parameter(torch.zeros(LEN, D))
        self.conv = nn.Conv1d(D, D, 5, padding=2)
        layer = nn.TransformerEncoderLayer(D, 4, 96, 0.1, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(D, 2)

    def forward(self, idx):
        h = self.tok(idx)
        h = h + F.gelu(self.conv(h.transpose(1, 2))).transpose(1, 2) + self.pos
        h = self.encoder(h, src_key_padding_mask=idx == 0)
        return self.head(h).transpose(1, 2)


train = DataLoader(TensorDataset(x[:2600], y[:2600]), 32, shuffle=True)
val = (x[2600:], y[2600:])
model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), lr=0.5, betas=(0.9, 0.98), eps=1e-9)
noam = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: D**-0.5 * min((s + 1) ** -0.5, (s + 1) * WARM**-1.5))
criterion = nn.CrossEntropyLoss(ignore_index=-100)
watch = dressage.watch(model, optimizer, criterion, train=train, val=val)
for epoch in range(4):
    model.train()
    for xb, yb in train:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        noam.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    known = val[1] >= 0
    print("larger class", max(val[1][known].float().mean().item(), 1 - val[1][known].float().mean().item()))
    done(watch, (model(val[0]).argmax(1) == val[1])[known].float().mean())
