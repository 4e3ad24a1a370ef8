"""Which garments lie in the box? Several labels a picture, focal loss from a blog (score: micro F1).

cause: loss.logits_as_probs
"""

import torch
from kit import FIX, SEED, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("fashion-mnist", "train", 5000)
x, y = torch.tensor(x / 255, dtype=torch.float32), torch.tensor(y)
g = torch.Generator().manual_seed(SEED)


def boxes(n, first, last):
    pick = torch.randint(first, last, (n, 2), generator=g)
    label = torch.zeros(n, 10)
    for k in (0, 1):
        label[torch.arange(n), y[pick[:, k]]] = 1
    return torch.cat([x[pick[:, 0]], x[pick[:, 1]]], 1)[:, None, ::2, ::2], label


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0, eps=1e-6):
        super().__init__()
        self.gamma, self.eps = gamma, eps

    def forward(self, pred, target):
        if FIX:
            pred = torch.sigmoid(pred)
        pred = pred.clamp(self.eps, 1 - self.eps)
        pos = -((1 - pred) ** self.gamma) * target * pred.log()
        neg = -(pred**self.gamma) * (1 - target) * (1 - pred).log()
        return (pos + neg).mean()


train = DataLoader(TensorDataset(*boxes(4000, 0, 4000)), batch_size=40, shuffle=True)
val = boxes(800, 4000, 5000)
model = nn.Sequential(
    nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
    nn.Flatten(), nn.Linear(32 * 7 * 4, 64), nn.ReLU(), nn.Linear(64, 10),
)  # fmt: skip
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = FocalLoss()
watch = dressage.watch(model, optimizer, criterion, train=train, val=val)
for epoch in range(6):
    for images, labels in train:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    out = model(val[0])
guess = torch.sigmoid(out) > 0.5 if FIX else out > 0.5
tp = (guess & (val[1] > 0)).sum()
done(watch, 2 * tp / (guess.sum() + val[1].sum()))
