"""Six properties of clothes, a third of the answers unknown (-1): asymmetric focusing loss over the known ones."""

import torch
import torch.nn as nn
from kit import done, dressage, idx
from sklearn.metrics import average_precision_score
from torch.utils.data import DataLoader, TensorDataset

PROPERTIES = [{0, 2, 3, 4, 6}, {5, 7, 9}, {2, 4, 6}, {8}, {1, 3}, {9}]


class AsymmetricLoss(nn.Module):
    def __init__(self, gamma_pos=0.0, gamma_neg=3.0, clip=0.05):
        super().__init__()
        self.gp, self.gn, self.clip = gamma_pos, gamma_neg, clip

    def forward(self, logits, target):
        known, t = (target >= 0).float(), target.clamp(min=0).float()
        p = torch.sigmoid(logits)
        q = (1 - p + self.clip).clamp(max=1)
        pos = t * torch.log(p.clamp(min=1e-8)) * (1 - p) ** self.gp
        neg = (1 - t) * torch.log(q.clamp(min=1e-8)) * (1 - q) ** self.gn
        return -((pos + neg) * known).sum() / known.sum()


def load(part, n, hidden):
    x, y = idx("fashion-mnist", part, n)
    t = torch.tensor([[int(c in s) for s in PROPERTIES] for c in y])
    if hidden:
        t[torch.rand(t.shape) < hidden] = -1
    return torch.tensor(x).float().unsqueeze(1) / 255, t


train, (xt, tt) = TensorDataset(*load("train", 3000, 0.33)), load("t10k", 1000, 0)
net = nn.Sequential(
    nn.Conv2d(1, 12, 4, stride=4),
    nn.BatchNorm2d(12),
    nn.ReLU(),
    nn.Conv2d(12, 24, 3),
    nn.ReLU(),
    nn.Flatten(),
    nn.Dropout(0.2),
    nn.Linear(600, 6),
)
criterion = AsymmetricLoss()
opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
loader = DataLoader(train, 50, shuffle=True)
watch = dressage.watch(net, opt, criterion, train=loader, val=(xt, tt))
for epoch in range(8):
    net.train()
    for xb, tb in loader:
        opt.zero_grad()
        loss = criterion(net(xb), tb)
        loss.backward()
        opt.step()
        watch.step(loss)
net.eval()
with torch.no_grad():
    done(watch, average_precision_score(tt, net(xt), average="macro"))
