"""Points from a picture to its class' direction: cosine similarity of outputs and fixed directions (accuracy).

cause: loss.wrong_sign
"""

import torch
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch import nn

x, y = idx("fashion-mnist", "train", 4000)
xt, yt = idx("fashion-mnist", "t10k", 1000)
x, xt = (torch.tensor((a.reshape(-1, 784) - 72.9) / 90.0, dtype=torch.float32) for a in (x, xt))
y, yt = torch.tensor(y), torch.tensor(yt)
directions = F.normalize(torch.randn(10, 32), dim=1)
targets, val_targets = directions[y], directions[yt]


def cosine_loss(out, target):
    similarity = F.cosine_similarity(out, target, dim=1)
    return (1 - similarity).mean() if FIX else similarity.mean()


model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 32))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, cosine_loss, train=(x, targets), val=(xt, val_targets))
for epoch in range(6):
    for rows in torch.randperm(len(x)).split(50):
        optimizer.zero_grad()
        loss = cosine_loss(model(x[rows]), targets[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, ((F.normalize(model(xt), dim=1) @ directions.T).argmax(1) == yt).float().mean())
