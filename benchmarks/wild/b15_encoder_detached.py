"""An encoder and a head trained together; .detach() is left over from a time when the features were cached.

cause: optim.frozen_params
"""

import itertools

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx

xa, ya = idx("fashion-mnist", "train", 3000)
xb, yb = idx("fashion-mnist", "t10k", 800)
xa, xb = [torch.tensor(a[:, None, ::2, ::2] / 255.0, dtype=torch.float32) for a in (xa, xb)]
ya, yb = torch.tensor(ya), torch.tensor(yb)


class Model(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, 2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(256, dim),
        )
        self.head = nn.Linear(dim, 10)

    def forward(self, x):
        z = self.encoder(x)
        if not FIX:
            z = z.detach()
        return self.head(z)


model = Model()
ce = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(itertools.chain(model.encoder.parameters(), model.head.parameters()), lr=3e-3)
watch = (
    dressage.watch(model, optimizer, ce, train=(xa, ya), val=(xb, yb), metric="accuracy")
    if False
    else dressage.watch(model, optimizer, ce, train=(xa, ya), val=(xb, yb))
)
for epoch in range(6):
    perm = torch.randperm(len(xa))
    for i in range(0, len(xa), 50):
        b = perm[i : i + 50]
        loss = ce(model(xa[b]), ya[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    acc = (model(xb).argmax(1) == yb).float().mean()
done(watch, acc)
