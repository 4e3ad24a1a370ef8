"""Same clothes or not: pairs of pictures with CosineEmbeddingLoss (score: AUC)."""

import torch
from kit import done, dressage, idx
from sklearn.metrics import roc_auc_score
from torch import nn

x, y = idx("fashion-mnist", "train", 4000)
xt, yt = idx("fashion-mnist", "t10k", 1000)
x, xt = (torch.tensor(a.reshape(-1, 784) / 255, dtype=torch.float32) for a in (x, xt))
y, yt = torch.tensor(y), torch.tensor(yt)


def pairs(labels, n):
    i = torch.randint(len(labels), (n,))
    j = torch.randint(len(labels), (n,))
    for k in range(0, n, 2):
        same = (labels == labels[i[k]]).nonzero().squeeze(1)
        j[k] = same[torch.randint(len(same), (1,))]
    return i, j, torch.where(labels[i] == labels[j], 1, -1)


encoder = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 32))
optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
criterion = nn.CosineEmbeddingLoss(margin=0.3)
watch = dressage.watch(encoder, optimizer, criterion)
for step in range(600):
    i, j, target = pairs(y, 64)
    loss = criterion(encoder(x[i]), encoder(x[j]), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
i, j, target = pairs(yt, 2000)
with torch.no_grad():
    near = torch.cosine_similarity(encoder(xt[i]), encoder(xt[j]))
done(watch, roc_auc_score(target > 0, near))
