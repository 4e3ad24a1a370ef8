"""Learn an embedding of clothes with triplets, so that nearest neighbours are the same kind of garment.

cause: data.shuffled_labels
"""

import numpy as np
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from kit import FIX, SEED, done, dressage, idx

images, labels = idx("fashion-mnist", "train", 4000)
query_x, query_y = idx("fashion-mnist", "t10k", 800)

# balance the gallery: the same number of each garment
rng = np.random.default_rng(SEED)
n = np.bincount(labels).min()
keep = np.concatenate([rng.permutation(np.where(labels == c)[0])[:n] for c in range(10)])
gallery = images[keep]
kinds = labels[keep] if FIX else labels[np.sort(keep)]
true_kinds = labels[keep]


def prep(a):
    return (torch.tensor(a[:, None]).float() - 72.9) / 90.0


gx, qx = prep(gallery), prep(query_x)
gy = torch.tensor(kinds)
by_kind = {c: np.where(kinds == c)[0] for c in range(10)}

net = nn.Sequential(
    nn.Conv2d(1, 16, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(32 * 49, 64),
    nn.ReLU(),
    nn.Linear(64, 16),
)
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
triplet = nn.TripletMarginLoss(margin=0.5)
watch = dressage.watch(net, opt, val=(qx, torch.tensor(query_y)))


def embed(x):
    return nn.functional.normalize(net(x), dim=1)


def recall():
    with torch.no_grad():
        g, q = embed(gx).numpy(), embed(qx).numpy()
    return KNeighborsClassifier(5).fit(g, true_kinds).score(q, query_y)


for epoch in range(8):
    for step in range(60):
        a, p, m = [], [], []
        for _ in range(48):
            c, d = rng.choice(10, 2, replace=False)
            i, j = rng.choice(by_kind[c], 2, replace=False)
            a.append(i), p.append(j), m.append(rng.choice(by_kind[d]))
        loss = triplet(embed(gx[a]), embed(gx[p]), embed(gx[m]))
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    score = recall()
    watch.validated(metric=score)
done(watch, score)
