"""Predict a noisy physical quantity from ten columns.

cause: loss.shape_broadcast
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import make_friedman1
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from kit import FIX, SEED, done, dressage

X, y = make_friedman1(2400, n_features=10, noise=1.0, random_state=3)
Xtr, Xte, ytr, yte = train_test_split(X, y, test_size=0.25, random_state=SEED)
sx = StandardScaler().fit(Xtr)
mu, sd = ytr.mean(), ytr.std()
Xtr, Xte = (torch.tensor(sx.transform(a), dtype=torch.float32) for a in (Xtr, Xte))
ytr, yte = (torch.tensor((a - mu) / sd, dtype=torch.float32) for a in (ytr, yte))


class Regressor(torch.nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.a = torch.nn.Linear(10, width)
        self.b = torch.nn.Linear(width, width)
        self.head = torch.nn.Linear(width, 1)

    def forward(self, x):
        h = torch.relu(self.a(x))
        h = torch.relu(self.b(h))
        return self.head(h).squeeze(-1) if FIX else self.head(h)


model = Regressor()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02)
EPOCHS = 28
sched = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
watch = dressage.watch(model, optimizer)
for epoch in range(EPOCHS):
    model.train()
    perm = torch.randperm(len(Xtr))
    for idx in perm.split(50):
        optimizer.zero_grad()
        loss = F.smooth_l1_loss(model(Xtr[idx]), ytr[idx])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    sched.step()
    model.eval()
    with torch.no_grad():
        pred = model(Xte).reshape(-1)
    watch.validated(loss=F.smooth_l1_loss(pred, yte).item(), metric=r2_score(yte, pred))
done(watch, r2_score(yte.numpy(), pred.numpy()))
