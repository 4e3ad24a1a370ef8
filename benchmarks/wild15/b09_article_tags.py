"""Put tags on articles from their word counts: several tags can hold at once.

cause: loss.logits_as_probs
"""

import numpy as np
import torch
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import f1_score
from torch import nn

from kit import FIX, SEED, done, dressage

X, Y = make_multilabel_classification(
    n_samples=7000, n_features=120, n_classes=12, n_labels=3, length=80, random_state=11
)
X = np.log1p(X)
rng = np.random.default_rng(SEED)
order = rng.permutation(len(X))
train_rows, val_rows = order[:5500], order[5500:]
X = (X - X[train_rows].mean(0)) / (X[train_rows].std(0) + 1e-6)
X, Y = torch.from_numpy(X).float(), torch.from_numpy(Y).float()


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(120, 64)
        self.drop = nn.Dropout(0.3)
        self.tags = nn.Linear(64, 12)

    def forward(self, x):
        z = self.tags(self.drop(torch.relu(self.hidden(x))))
        return torch.sigmoid(z) if FIX else z


def tag_loss(p, y, eps=1e-6):
    """Binary cross entropy, mean over tags and articles."""
    return -(y * torch.log(p.clamp(min=eps)) + (1 - y) * torch.log((1 - p).clamp(min=eps))).mean()


def micro_f1(output, target):
    return f1_score(target.numpy(), output.detach().numpy() > 0.5, average="micro")


model = Tagger()
optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-4)
watch = dressage.watch(
    model, optimizer, tag_loss, train=(X[train_rows], Y[train_rows]), val=(X[val_rows], Y[val_rows]), metric=micro_f1
)
for epoch in range(15):
    model.train()
    for batch in np.array_split(rng.permutation(train_rows), 140):
        optimizer.zero_grad()
        loss = tag_loss(model(X[batch]), Y[batch])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(X[val_rows])
        score = micro_f1(out, Y[val_rows])
        watch.validated(loss=tag_loss(out, Y[val_rows]).item(), metric=score)
done(watch, score)
