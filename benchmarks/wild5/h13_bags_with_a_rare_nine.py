"""Bags of twelve digits, one in eight holds a nine: attention pooling over instances, only bags have labels, few positive."""

import numpy as np
import torch
import torch.nn as nn
from kit import done, dressage, idx
from sklearn.metrics import roc_auc_score
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("mnist", "train", 9000)
x = nn.functional.avg_pool2d(torch.tensor(x).float().unsqueeze(1) / 255, 2).flatten(1)
nine, other = np.where(y == 9)[0], np.where(y != 9)[0]


def bags(n, low, high, share):
    cut = lambda a: a[int(low * len(a)) : int(high * len(a))]
    label = (np.random.rand(n) < share).astype(np.float32)
    rows = np.random.choice(cut(other), (n, 12))
    for i in np.where(label == 1)[0]:
        rows[i, : np.random.randint(1, 4)] = np.random.choice(cut(nine), 1)
    return x[torch.tensor(rows)], torch.tensor(label)


class AttentionMIL(nn.Module):
    def __init__(self, h=48):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(196, 96), nn.ReLU(), nn.Linear(96, h), nn.ReLU())
        self.v, self.u, self.w = nn.Linear(h, 24), nn.Linear(h, 24), nn.Linear(24, 1)
        self.classify = nn.Linear(h, 1)

    def forward(self, bag):
        f = self.features(bag)
        a = torch.softmax(self.w(torch.tanh(self.v(f)) * torch.sigmoid(self.u(f))), dim=1)
        return self.classify((a * f).sum(1)).squeeze(1)


train, (xt, yt) = TensorDataset(*bags(2000, 0, 0.8, 0.125)), bags(600, 0.8, 1, 0.3)
model = AttentionMIL()
criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(4.0))
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
loader = DataLoader(train, batch_size=32, shuffle=True)
watch = dressage.watch(model, optimizer, criterion, train=loader)
for epoch in range(9):
    for bag, label in loader:
        optimizer.zero_grad()
        loss = criterion(model(bag), label)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, roc_auc_score(yt, model(xt)))
