"""Masked language model of characters, 15 % masked (score: accuracy at masks)."""

import torch
from kit import done, dressage, sentences
from torch import nn

text = " ".join(t for t, _ in sentences(3000))
chars = sorted(set(text))
MASK = len(chars)
codes = torch.tensor([chars.index(c) for c in text])
cut = int(0.9 * len(codes))
train, val = codes[:cut], codes[cut:]
T = 24


def batch(source, n):
    start = torch.randint(len(source) - T, (n,))
    tokens = source[start[:, None] + torch.arange(T)]
    chosen = torch.rand(n, T) < 0.15
    labels = torch.where(chosen, tokens, -100)
    tokens = torch.where(chosen & (torch.rand(n, T) < 0.9), MASK, tokens)
    return tokens, labels


class Bert(nn.Module):
    def __init__(self, d=48):
        super().__init__()
        self.tok = nn.Embedding(len(chars) + 1, d)
        self.pos = nn.Parameter(torch.randn(T, d) * 0.1)
        self.mix = nn.Conv1d(d, d, 5, padding=2)
        self.layer = nn.TransformerEncoderLayer(d, 4, 2 * d, 0.0, batch_first=True, norm_first=True)
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, len(chars))

    def forward(self, tokens):
        h = self.tok(tokens) + self.pos
        h = h + self.mix(h.transpose(1, 2)).transpose(1, 2)
        return self.head(self.norm(self.layer(h)))


model = Bert()
optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
steps = 400
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps, pct_start=0.15)
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer, criterion)
for step in range(steps):
    tokens, labels = batch(train, 32)
    loss = criterion(model(tokens).flatten(0, 1), labels.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
    scheduler.step()
model.eval()
with torch.no_grad():
    tokens, labels = batch(val, 600)
    guess = model(tokens).argmax(2)
    at = labels != -100
done(watch, (guess[at] == labels[at]).float().mean())
