"""A curriculum: sequences of two digit rows first, then four, then six; the loss jumps up at each new stage."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage
from sklearn.datasets import load_digits

X, Y = load_digits(return_X_y=True)
X, Y = torch.tensor(X / 16).float(), torch.tensor(Y)
perm = torch.randperm(len(X))
train_rows, test_rows = perm[:1400], perm[1400:]


def strips(rows, length, n=32):
    """A strip of digits, and after each digit how many of those so far were even."""
    at = rows[torch.randint(len(rows), (n, length))]
    even = (Y[at] % 2 == 0).long()
    return X[at], even.cumsum(1)


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.see = nn.Sequential(nn.Linear(64, 48), nn.ReLU())
        self.gru = nn.GRU(48, 48, batch_first=True)
        self.say = nn.Linear(48, 7)

    def forward(self, x):
        return self.say(self.gru(self.see(x))[0])


model = Counter()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer, lambda out, y: F.cross_entropy(out.flatten(0, 1), y.flatten()))
for length, steps in [(2, 200), (4, 200), (6, 250)]:
    for _ in range(steps):
        x, count = strips(train_rows, length)
        loss = criterion(model(x).flatten(0, 1), count.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    x, count = strips(test_rows, 6, 500)
    done(watch, (model(x).argmax(2) == count).float().mean())
