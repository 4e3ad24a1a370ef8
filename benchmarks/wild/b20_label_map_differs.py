"""Names of classes are numbered by set() order anew for each split, so 3 in training is not 3 in validation.

cause: data.shuffled_labels
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

NAMES = ["tshirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]


def load(part, n, seed):
    x, y = idx("fashion-mnist", part, n)
    labels = [NAMES[k] for k in y]
    classes = list(dict.fromkeys(labels))  # order of appearance
    if FIX:
        classes = sorted(set(labels))
    to_id = {c: i for i, c in enumerate(classes)}
    return TensorDataset(
        torch.tensor(x / 255.0, dtype=torch.float32).flatten(1), torch.tensor([to_id[c] for c in labels])
    )


train, val = load("train", 4000, 0), load("t10k", 1000, 1)
tl, vl = DataLoader(train, 64, shuffle=True), DataLoader(val, 256)
mlp = nn.Sequential(
    nn.Linear(784, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
)
opt = torch.optim.SGD(mlp.parameters(), 0.05, 0.9, nesterov=True)
crit = nn.CrossEntropyLoss(label_smoothing=0.05)
watch = dressage.watch(mlp, opt, crit, train=tl, val=vl)
for epoch in range(5):
    mlp.train()
    for x, y in tl:
        loss = crit(mlp(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    mlp.eval()
    with torch.no_grad():
        r = [(crit(mlp(x), y).item(), (mlp(x).argmax(1) == y).float().mean().item()) for x, y in vl]
    vl_loss, acc = [sum(c) / len(r) for c in zip(*r)]
    watch.validated(loss=vl_loss, metric=acc)
    print(epoch, loss.item(), vl_loss, acc)
done(watch, acc)
