"""Diabetes: predictions (n, 1) minus targets (n,) by hand.

cause: loss.shape_broadcast
"""

import numpy as np
import torch
from kit import FIX, done, dressage
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

X, y = load_diabetes(return_X_y=True)
perm = np.random.permutation(len(y))
tr, te = perm[:340], perm[340:]
sx, sy = StandardScaler().fit(X[tr]), StandardScaler().fit(y[tr, None])
Xt = torch.tensor(sx.transform(X), dtype=torch.float32)
yt = torch.tensor(sy.transform(y[:, None]).ravel(), dtype=torch.float32)
if FIX:
    yt = yt[:, None]


def mse(pred, target):
    return ((pred - target) ** 2).mean()


model = torch.nn.Sequential(torch.nn.Linear(10, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-2)
watch = dressage.watch(model, optimizer, mse, train=(Xt[tr], yt[tr]), val=(Xt[te], yt[te]))
for epoch in range(60):
    for b in torch.tensor(tr)[torch.randperm(len(tr))].split(34):
        pred = model(Xt[b])
        loss = mse(pred, yt[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    score = r2_score(yt[te].numpy().ravel(), model(Xt[te]).numpy().ravel())
done(watch, score)
