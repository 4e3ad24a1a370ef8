"""Contrastive pairs of clothes (margin 1): the embedding is judged by its nearest neighbours.

cause: optim.lr_too_high
"""

import torch
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch import nn

images, labels = idx("fashion-mnist", "train", 2500)
x, y = torch.tensor(images, dtype=torch.float32).unsqueeze(1) / 255 - 0.286, torch.tensor(labels)
images, labels = idx("fashion-mnist", "t10k", 800)
xt, yt = torch.tensor(images, dtype=torch.float32).unsqueeze(1) / 255 - 0.286, torch.tensor(labels)


class EmbeddingNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.convnet = nn.Sequential(
            nn.Conv2d(1, 8, 5), nn.PReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 5), nn.PReLU(), nn.MaxPool2d(2)
        )
        self.fc = nn.Sequential(nn.Flatten(), nn.Linear(256, 64), nn.PReLU(), nn.Linear(64, 8))

    def forward(self, x):
        return self.fc(self.convnet(x))


class ContrastiveLoss(nn.Module):
    def __init__(self, margin):
        super().__init__()
        self.margin = margin

    def forward(self, a, b, same):
        d2 = (a - b).pow(2).sum(1)
        return 0.5 * (same * d2 + (1 - same) * F.relu(self.margin - (d2 + 1e-9).sqrt()).pow(2)).mean()


model = EmbeddingNet()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3 if FIX else 0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3, gamma=0.5)
contrastive = ContrastiveLoss(1.0)
watch = dressage.watch(model, optimizer)
for epoch in range(5):
    for rows in torch.randperm(len(x)).split(50):
        z = model(x[rows])
        i, j = torch.triu_indices(len(rows), len(rows), 1)
        loss = contrastive(z[i], z[j], (y[rows][i] == y[rows][j]).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    print(epoch, loss.item())
with torch.no_grad():
    near = torch.cdist(model(xt), model(x)).topk(5, largest=False).indices
done(watch, (torch.mode(y[near], 1).values == yt).float().mean())
