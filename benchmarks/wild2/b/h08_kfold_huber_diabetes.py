"""Diabetes, five folds, each with its early stop on its validation rows: R2 of .45 or so is all there is (a ridge has it too)."""

import numpy as np
import torch
from kit import SEED, done, dressage
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from torch import nn

X, y = load_diabetes(return_X_y=True)
scores, ridge = [], []
for fold, (a, b) in enumerate(KFold(5, shuffle=True, random_state=SEED).split(X)):
    scale_x, scale_y = StandardScaler().fit(X[a]), StandardScaler().fit(y[a, None])
    xa, xb = (torch.tensor(scale_x.transform(X[k]), dtype=torch.float32) for k in (a, b))
    ya, yb = (torch.tensor(scale_y.transform(y[k, None]), dtype=torch.float32) for k in (a, b))
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1))
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.05)
    huber = nn.HuberLoss()
    watch = dressage.watch(net, opt, huber, train=(xa, ya), val=(xb, yb))
    best, kept, waited = 9.0, 0.0, 0
    for epoch in range(60):
        net.train()
        for rows in torch.randperm(len(xa)).split(16):
            opt.zero_grad()
            loss = huber(net(xa[rows]), ya[rows])
            loss.backward()
            opt.step()
            watch.step(loss)
        net.eval()
        with torch.no_grad():
            out = net(xb)
        val = huber(out, yb).item()
        if val < best:
            best, waited, kept = val, 0, 1 - ((out - yb).pow(2).mean() / yb.var(unbiased=False)).item()
        else:
            waited += 1
        if waited >= 8:
            break
    scores.append(kept)
    ridge.append(Ridge(1.0).fit(xa.numpy(), ya.numpy()).score(xb.numpy(), yb.numpy()))
    print(f"fold {fold}: {kept:.3f} after {epoch + 1} epochs")
print("ridge", np.mean(ridge))
done(watch, np.mean(scores))
