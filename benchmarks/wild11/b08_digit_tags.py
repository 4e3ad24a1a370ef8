"""Tag pictures of digits with several properties at once (even, prime, has a loop, ...).

cause: data.shuffled_labels
"""

import numpy as np
import torch
from torch import nn

from kit import FIX, done, dressage, idx

TAGS = {"even": "02468", "prime": "2357", "loop": "0689", "large": "56789", "straight": "147"}
images, digits = idx("mnist", "train", 3000)
folder = {f"img_{i}.png": img for i, img in enumerate(images)}
table = np.array([[str(d) in members for members in TAGS.values()] for d in digits], dtype=np.float32)

names = sorted(folder, key=lambda s: int(s[4:-4])) if FIX else sorted(folder)
X = torch.tensor(np.stack([folder[n] for n in names]), dtype=torch.float32).flatten(1) / 255
X = (X - 0.13) / 0.31
Y = torch.tensor(table)
Xtr, Ytr, Xva, Yva = X[:2500], Y[:2500], X[2500:], Y[2500:]

net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 5))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
loss_fn = nn.BCEWithLogitsLoss()


def tag_accuracy(out, y):
    return ((out > 0).float() == y).float().mean().item()


watch = dressage.watch(net, opt, loss_fn, train=(Xtr, Ytr), val=(Xva, Yva), metric=tag_accuracy)
for epoch in range(14):
    net.train()
    for rows in torch.randperm(2500).split(50):
        loss = loss_fn(net(Xtr[rows]), Ytr[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    net.eval()
    with torch.no_grad():
        out = net(Xva)
        watch.validated(loss=loss_fn(out, Yva).item(), metric=tag_accuracy(out, Yva))

done(watch, tag_accuracy(out, Yva))
