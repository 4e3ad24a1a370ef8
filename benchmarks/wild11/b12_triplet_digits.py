"""Learn an embedding of digits with triplets, judged by nearest neighbours.

cause: loss.wrong_sign
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.neighbors import KNeighborsClassifier

from kit import FIX, SEED, done, dressage, idx

x, y = idx("mnist", "train", 3000)
xt, yt = idx("mnist", "t10k", 1000)
x = torch.tensor(x / 255.0 - 0.13).float().unsqueeze(1)
xt = torch.tensor(xt / 255.0 - 0.13).float().unsqueeze(1)
by_class = [np.flatnonzero(y == c) for c in range(10)]
rng = np.random.default_rng(SEED)


class Embedder(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 5, stride=2),
            nn.ReLU(),
            nn.Conv2d(12, 24, 3, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(600, dim),
        )

    def forward(self, img):
        return F.normalize(self.features(img))


def triplet(anchor, positive, negative, margin=0.5):
    d_pos = (anchor - positive).pow(2).sum(1)
    d_neg = (anchor - negative).pow(2).sum(1)
    gap = d_pos - d_neg if FIX else d_neg - d_pos
    return F.relu(gap + margin).mean()


def sample(k=48):
    classes = rng.integers(0, 10, k)
    others = (classes + rng.integers(1, 10, k)) % 10
    a = [rng.choice(by_class[c]) for c in classes]
    p = [rng.choice(by_class[c]) for c in classes]
    n = [rng.choice(by_class[c]) for c in others]
    return x[a], x[p], x[n]


def knn_score():
    model.eval()
    with torch.no_grad():
        train_z, test_z = model(x).numpy(), model(xt).numpy()
    model.train()
    return KNeighborsClassifier(5).fit(train_z, y).score(test_z, yt)


model = Embedder()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer)
for step in range(600):
    a, p, n = sample()
    loss = triplet(*model(torch.cat([a, p, n])).chunk(3))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if step % 100 == 99:
        score = knn_score()
        watch.validated(metric=score)

done(watch, score)
