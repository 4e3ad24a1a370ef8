"""Bags of words by package, with weights of the classes in a lambda.

cause: loss.sum_reduction
"""

import numpy as np
import torch
import torch.nn.functional as F
from kit import FIX, done, dressage, sentences
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import nn

rows = sentences(3000)
vec = TfidfVectorizer(max_features=1500, sublinear_tf=True)
X = vec.fit_transform([t for t, _ in rows[:2400]]).toarray().astype(np.float32) * 8
Xt = vec.transform([t for t, _ in rows[2400:]]).toarray().astype(np.float32) * 8
y = np.array([k for _, k in rows])
X, Xt = torch.from_numpy(X), torch.from_numpy(Xt)
y, yt = torch.tensor(y[:2400]), torch.tensor(y[2400:])

class_weight = len(y) / (3 * torch.bincount(y).float())
if FIX:
    weighted = lambda out, target: (class_weight[target] * F.cross_entropy(out, target, reduction="none")).mean()
else:
    weighted = lambda out, target: (class_weight[target] * F.cross_entropy(out, target, reduction="none")).sum()

clf = nn.Sequential(nn.Linear(1500, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 3))
sgd = torch.optim.SGD(clf.parameters(), lr=0.05, momentum=0.9)
watch = dressage.watch(clf, sgd, weighted, train=(X, y), val=(Xt, yt))
for epoch in range(8):
    clf.train()
    for idx in torch.randperm(len(X)).split(64):
        sgd.zero_grad()
        loss = weighted(clf(X[idx]), y[idx])
        loss.backward()
        sgd.step()
        watch.step(loss)
clf.eval()
with torch.no_grad():
    done(watch, (clf(Xt).argmax(1) == yt).float().mean())
