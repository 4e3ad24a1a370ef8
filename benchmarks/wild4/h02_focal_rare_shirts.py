"""Shirts among all clothes (one in ten) with the focal loss (score: average precision; chance .1)."""

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from sklearn.metrics import average_precision_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("fashion-mnist", "train", 5000)
xt, yt = idx("fashion-mnist", "t10k", 1500)


def prepare(a, b):
    return torch.tensor(a / 255 - 0.286, dtype=torch.float32).unsqueeze(1), torch.tensor(b == 0).float().unsqueeze(1)


class FocalLoss(nn.Module):
    def __init__(self, alpha=0.25, gamma=2.0):
        super().__init__()
        self.alpha, self.gamma = alpha, gamma

    def forward(self, logits, target):
        bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        p = torch.sigmoid(logits)
        pt = p * target + (1 - p) * (1 - target)
        weight = self.alpha * target + (1 - self.alpha) * (1 - target)
        return (weight * (1 - pt) ** self.gamma * bce).mean()


train, val = TensorDataset(*prepare(x, y)), TensorDataset(*prepare(xt, yt))
loader, val_loader = DataLoader(train, 64, shuffle=True), DataLoader(val, 250)
model = nn.Sequential(
    nn.Conv2d(1, 12, 3, stride=2, padding=1), nn.ReLU(),
    nn.Conv2d(12, 24, 3, stride=2, padding=1), nn.ReLU(),
    nn.Flatten(), nn.Linear(24 * 49, 1),
)  # fmt: skip
nn.init.constant_(model[-1].bias, -2.2)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = FocalLoss()
watch = dressage.watch(model, optimizer, criterion, train=loader, val=val_loader)
for epoch in range(6):
    for inputs, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    scores = torch.cat([model(a) for a, _ in val_loader])
done(watch, average_precision_score(val.tensors[1].squeeze(1), scores.squeeze(1)))
