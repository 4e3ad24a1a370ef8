"""A linear support vector machine: multi-class hinge loss, a penalty on the weights, averaged rates (chance .1)."""

import torch
from kit import SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

x, y = load_digits(return_X_y=True)
xtr, xva, ytr, yva = train_test_split(x, y, test_size=400, random_state=SEED, stratify=y)
mean = xtr.mean(0)
xtr, xva = (torch.tensor((a - mean) / 8, dtype=torch.float32) for a in (xtr, xva))
ytr, yva = torch.tensor(ytr), torch.tensor(yva)

svm = nn.Linear(64, 10)
C = 1e-3
optimizer = torch.optim.SGD(svm.parameters(), lr=0.5, weight_decay=C)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (1 + t / 100))
hinge = nn.MultiMarginLoss()
watch = dressage.watch(svm, optimizer, hinge, train=(xtr, ytr), val=(xva, yva))
for epoch in range(30):
    for rows in torch.randperm(len(xtr)).split(64):
        optimizer.zero_grad()
        loss = hinge(svm(xtr[rows]), ytr[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
        scheduler.step()
with torch.no_grad():
    done(watch, (svm(xva).argmax(1) == yva).float().mean())
