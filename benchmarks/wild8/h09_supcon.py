"""Supervised contrastive embedding of garments with augmented pictures; the loss stays high by its nature."""

import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import nn
import torch.nn.functional as F

from kit import done, dressage, idx

x, y = idx("fashion-mnist", "train", 5000)
xt, yt = idx("fashion-mnist", "t10k", 1000)
x, xt = (torch.tensor(a).float()[:, None] / 127.5 - 1 for a in (x, xt))
y, yt = torch.tensor(y), torch.tensor(yt)


def view(batch):
    batch = F.pad(batch, (1, 1, 1, 1), value=-1.0)
    i, j = torch.randint(0, 3, (2,)).tolist()
    batch = batch[:, :, i : i + 28, j : j + 28]
    if torch.rand(()) < 0.5:
        batch = batch.flip(3)
    return batch + 0.05 * torch.randn_like(batch)


class Embedder(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(1024, 64),
        )

    def forward(self, x):
        return F.normalize(self.body(x), dim=1)


def supcon(z, labels, temperature=0.2):
    sim = z @ z.T / temperature
    self_mask = torch.eye(len(z), dtype=torch.bool)
    sim = sim.masked_fill(self_mask, -1e9)
    logp = sim - sim.logsumexp(1, keepdim=True)
    same = (labels[:, None] == labels[None]) & ~self_mask
    return -((logp * same).sum(1) / same.sum(1).clamp(min=1)).mean()


model = Embedder()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-3)
epochs = 10
steps = epochs * (len(x) // 64)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
watch = dressage.watch(model, optimizer)
for epoch in range(epochs):
    model.train()
    for rows in torch.randperm(len(x))[: 64 * (len(x) // 64)].split(64):
        z = model(view(x[rows]))
        loss = supcon(z, y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        bank, query = model(x), model(xt)
        val = sum(supcon(q, t).item() for q, t in zip(query.split(128), yt.split(128))) / 8
    acc = KNeighborsClassifier(15).fit(bank.numpy(), y).score(query.numpy(), yt)
    watch.validated(loss=val, metric=acc)
    print(epoch, round(loss.item(), 3), round(val, 3), round(acc, 3))
done(watch, acc)
