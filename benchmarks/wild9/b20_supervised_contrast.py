"""Embed clothes with the supervised contrastive loss, then read the class off with nearest neighbours.

cause: data.no_shuffle
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.neighbors import KNeighborsClassifier
from torch.utils.data import DataLoader, Dataset

from kit import FIX, done, dressage, idx


class Folders(Dataset):
    """The pictures in the order of a folder a class, as on the disk."""

    def __init__(self, part, n):
        x, y = idx("fashion-mnist", part, n)
        order = np.argsort(y, kind="stable")
        self.x = torch.from_numpy(x[order]).float()[:, None] / 255
        self.y = torch.from_numpy(y[order])

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.head = nn.Sequential(nn.Linear(32 * 49, 64), nn.ReLU(), nn.Linear(64, 24))

    def forward(self, x):
        return F.normalize(self.head(self.conv(x)), dim=1)


def supcon(z, labels, temperature=0.2):
    sim = z @ z.T / temperature
    self_mask = torch.eye(len(z), dtype=torch.bool)
    sim = sim.masked_fill(self_mask, -1e9)
    log_prob = sim - sim.logsumexp(1, keepdim=True)
    same = (labels[:, None] == labels[None]) & ~self_mask
    return -((log_prob * same).sum(1) / same.sum(1).clamp(min=1)).mean()


train_set, test_set = Folders("train", 3000), Folders("t10k", 800)
loader = DataLoader(train_set, batch_size=64, shuffle=FIX)
encoder = Encoder()
optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
watch = dressage.watch(encoder, optimizer, supcon, train=loader)

for epoch in range(8):
    encoder.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = supcon(encoder(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)

encoder.eval()
with torch.no_grad():
    a, b = encoder(train_set.x).numpy(), encoder(test_set.x).numpy()
done(watch, KNeighborsClassifier(7).fit(a, train_set.y).score(b, test_set.y))
