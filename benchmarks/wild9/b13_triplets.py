"""Learn an embedding of handwritten digits from triplets; judged by nearest neighbours.

cause: loss.wrong_sign
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.neighbors import KNeighborsClassifier

from kit import FIX, done, dressage, idx

x, y = idx("mnist", "train", 2500)
q, qy = idx("mnist", "t10k", 800)
x = torch.from_numpy(x).float()[:, None] / 255
q = torch.from_numpy(q).float()[:, None] / 255
members = [np.flatnonzero(y == k) for k in range(10)]


class Embedder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 12, 5, stride=2),
            nn.ReLU(),
            nn.Conv2d(12, 24, 3, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(600, 16),
        )

    def forward(self, x):
        return F.normalize(self.net(x), dim=1)


def triplet_loss(anchor, positive, negative, margin=0.3):
    near = (anchor - positive).pow(2).sum(1)
    far = (anchor - negative).pow(2).sum(1)
    if FIX:
        return F.relu(near - far + margin).mean()
    return F.relu(far - near + margin).mean()


def sample(batch=48):
    k = np.random.randint(0, 10, batch)
    other = (k + np.random.randint(1, 10, batch)) % 10
    pick = lambda c: np.random.choice(members[c])
    a = [pick(c) for c in k]
    p = [pick(c) for c in k]
    n = [pick(c) for c in other]
    return x[a], x[p], x[n]


embed = Embedder()
optimizer = torch.optim.Adam(embed.parameters(), lr=1e-3)
watch = dressage.watch(embed, optimizer)
for step in range(400):
    loss = triplet_loss(*(embed(t) for t in sample()))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)

embed.eval()
with torch.no_grad():
    knn = KNeighborsClassifier(5).fit(embed(x).numpy(), y)
    done(watch, knn.score(embed(q).numpy(), qy))
