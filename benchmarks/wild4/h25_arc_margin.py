"""Angular margin (ArcFace): the margin is in the training only, so the loss stays high (score: nearest centre, chance .1)."""

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("mnist", "train", 3000)
xt, yt = idx("mnist", "t10k", 1000)
x, xt = (torch.tensor((a.reshape(-1, 784) / 255 - 0.13) / 0.31, dtype=torch.float32) for a in (x, xt))
y, yt = torch.tensor(y), torch.tensor(yt)


class ArcNet(nn.Module):
    def __init__(self, scale=12.0, margin=0.4):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(784, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 24))
        self.centres = nn.Parameter(torch.randn(10, 24))
        self.scale, self.margin = scale, margin

    def forward(self, x, labels=None):
        cos = F.normalize(self.body(x)) @ F.normalize(self.centres).T
        if labels is None:
            return self.scale * cos
        angle = cos.clamp(-0.999, 0.999).acos()
        return self.scale * torch.where(F.one_hot(labels, 10) > 0, (angle + self.margin).cos(), cos)


model = ArcNet()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer, criterion, val=(xt, yt))
for epoch in range(6):
    model.train()
    for images, labels in DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(images, labels), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    done(watch, (model(xt).argmax(1) == yt).float().mean())
