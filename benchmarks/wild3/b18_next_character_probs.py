"""Next characters of documentation from a GRU that gives probabilities.

cause: loss.double_softmax
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, sentences

corpus = " ".join(t for t, _ in sentences(1500))
alphabet = sorted(set(corpus))
codes = torch.tensor([alphabet.index(c) for c in corpus])
cut = int(len(codes) * 0.9)
seq_len = 25


def cut_up(codes):
    n = (len(codes) - 1) // seq_len
    return codes[: n * seq_len].view(n, seq_len), codes[1 : n * seq_len + 1].view(n, seq_len)


(x_train, y_train), (x_val, y_val) = cut_up(codes[:cut]), cut_up(codes[cut:])


class CharRNN(nn.Module):
    def __init__(self, n, hidden=64):
        super().__init__()
        self.embed = nn.Embedding(n, 24)
        self.gru = nn.GRU(24, hidden, batch_first=True)
        self.out = nn.Linear(hidden, n)

    def forward(self, x):
        h, _ = self.gru(self.embed(x))
        scores = self.out(h)
        return (scores if FIX else F.softmax(scores, dim=-1)).transpose(1, 2)


model = CharRNN(len(alphabet))
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
watch = dressage.watch(model, optimizer, F.cross_entropy, train=(x_train, y_train), val=(x_val, y_val))
for step in range(500):
    b = torch.randint(0, len(x_train), (24,))
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x_train[b]), y_train[b])
    loss.backward()
    optimizer.step()
    watch.step(loss)
with torch.no_grad():
    done(watch, (model(x_val[:300]).argmax(1) == y_val[:300]).float().mean())
