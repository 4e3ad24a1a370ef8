"""Several marks at once on each digit (even, above four, has a loop); the binary cross-entropy is written by hand.

cause: loss.logits_as_probs
"""

import torch
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

X, y = load_digits(return_X_y=True)
marks = torch.stack(
    [
        torch.tensor([int(f(k)) for k in y])
        for f in (lambda k: k % 2 == 0, lambda k: k > 4, lambda k: k in (0, 6, 8, 9))
    ],
    1,
)
tr, te = train_test_split(range(len(y)), test_size=0.25, random_state=SEED)
X = torch.tensor(X / 16 - 0.3, dtype=torch.float32).view(-1, 1, 8, 8)
train_ds, test_x, test_m = TensorDataset(X[tr], marks[tr].float()), X[te], marks[te]


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 12, 3), nn.LeakyReLU(0.1), nn.Conv2d(12, 24, 3), nn.LeakyReLU(0.1))
        self.tags = nn.Linear(24 * 16, 3)

    def forward(self, x):
        out = self.tags(self.features(x).flatten(1))
        return torch.sigmoid(out) if FIX else out


def bce(p, t, eps=1e-7):
    return -(t * torch.log(p + eps) + (1 - t) * torch.log(1 - p + eps)).mean()


model = Tagger()
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
loader = DataLoader(train_ds, batch_size=32, shuffle=True)
watch = dressage.watch(model, optimizer, bce, train=loader, val=(test_x, test_m.float()))
for epoch in range(10):
    for xb, tb in loader:
        optimizer.zero_grad()
        loss = bce(model(xb), tb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, ((model(test_x) > 0.5) == test_m.bool()).all(1).float().mean())
