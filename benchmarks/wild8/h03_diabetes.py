"""Homework: disease progression of 442 diabetes patients; a small network with strong weight decay."""

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

from kit import SEED, done, dressage

X, y = load_diabetes(return_X_y=True)
X_tr, X_te, y_tr, y_te = train_test_split(X, y, test_size=0.3, random_state=SEED)
sx, sy = StandardScaler().fit(X_tr), StandardScaler().fit(y_tr[:, None])
as_tensor = lambda a: torch.tensor(a, dtype=torch.float32)
tr = as_tensor(sx.transform(X_tr)), as_tensor(sy.transform(y_tr[:, None]))
te = as_tensor(sx.transform(X_te)), as_tensor(sy.transform(y_te[:, None]))
loader = DataLoader(TensorDataset(*tr), batch_size=8, shuffle=True)

net = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 1))
opt = optim.AdamW(net.parameters(), lr=1.5e-3, weight_decay=0.3)
sched = optim.lr_scheduler.CosineAnnealingLR(opt, 25)
mse = nn.MSELoss()


def r2(out, target):
    return 1 - ((out - target) ** 2).sum().item() / ((target - target.mean()) ** 2).sum().item()


watch = dressage.watch(net, opt, mse, train=tr, val=te, metric=r2)
for epoch in range(25):
    net.train()
    for xb, yb in loader:
        opt.zero_grad()
        loss = mse(net(xb), yb)
        loss.backward()
        opt.step()
        watch.step(loss)
    sched.step()
    net.eval()
    with torch.no_grad():
        out = net(te[0])
    watch.validated(loss=mse(out, te[1]).item(), metric=r2(out, te[1]))
    if epoch % 6 == 0 or epoch == 24:
        with torch.no_grad():
            print(epoch, "train", round(r2(net(tr[0]), tr[1]), 3), "test", round(r2(out, te[1]), 3))
ridge = RidgeCV(np.logspace(-2, 3, 12)).fit(sx.transform(X_tr), y_tr)
print("ridge", round(ridge.score(sx.transform(X_te), y_te), 3))
done(watch, r2(out, te[1]))
