"""Letters of single lines, one line a backward pass: gradients of eight lines are summed and divided by their letters."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage, sentences

lines = [line for line, _ in sentences(2400)]
chars = ["^"] + sorted(set("".join(lines)))
encoded = [torch.tensor([0] + [chars.index(c) for c in line]) for line in lines]
train, val = encoded[:2000], encoded[2000:2200]


class LM(nn.Module):
    def __init__(self, v):
        super().__init__()
        self.emb = nn.Embedding(v, 24)
        self.lstm = nn.LSTM(24, 96, batch_first=True)
        self.out = nn.Linear(96, v)

    def forward(self, x):
        return self.out(self.lstm(self.emb(x))[0])


model = LM(len(chars))
optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
linear = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, 500)
watch = dressage.watch(model, optimizer, nn.CrossEntropyLoss())
ACCUM, letters, total = 8, 0, 0.0
optimizer.zero_grad()
for number, row in enumerate(torch.randperm(len(train)).tolist() + torch.randperm(len(train)).tolist()):
    line = train[row]
    loss = F.cross_entropy(model(line[None, :-1]).squeeze(0), line[1:], reduction="sum")
    loss.backward()
    letters, total = letters + len(line) - 1, total + loss.item()
    if (number + 1) % ACCUM == 0:
        for p in model.parameters():
            p.grad /= letters
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        linear.step()
        optimizer.zero_grad()
        watch.step(total / letters)
        letters, total = 0, 0.0
with torch.no_grad():
    nll = sum(F.cross_entropy(model(v[None, :-1]).squeeze(0), v[1:], reduction="sum").item() for v in val)
done(watch, -nll / sum(len(v) - 1 for v in val))
