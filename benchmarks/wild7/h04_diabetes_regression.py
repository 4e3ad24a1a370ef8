"""Course homework: predict disease progression (442 patients, 10 columns) with a regularised two-layer network."""

import torch
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from torch import nn

from kit import done, dressage

X, y = load_diabetes(return_X_y=True)
Xtr, Xte, ytr, yte = train_test_split(X, y, test_size=0.25, random_state=0)

mu, sd = Xtr.mean(axis=0), Xtr.std(axis=0)
ym, ys = ytr.mean(), ytr.std()
prep = lambda a: torch.tensor((a - mu) / sd, dtype=torch.float32)
Xtr, Xte = prep(Xtr), prep(Xte)
ttr = torch.tensor((ytr - ym) / ys, dtype=torch.float32).unsqueeze(1)
tte = torch.tensor((yte - ym) / ys, dtype=torch.float32).unsqueeze(1)

model = nn.Sequential(nn.Linear(10, 24), nn.Tanh(), nn.Dropout(0.2), nn.Linear(24, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=0.02)
lr_sched = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=60)
mse = nn.MSELoss()
watch = dressage.watch(model, optimizer, mse, train=(Xtr, ttr), val=(Xte, tte))

for epoch in range(60):
    model.train()
    for idx in torch.randperm(len(Xtr)).split(32):
        loss = mse(model(Xtr[idx]), ttr[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    lr_sched.step()
    model.eval()
    with torch.no_grad():
        pred = model(Xte)
        watch.validated(loss=mse(pred, tte).item())

r2 = r2_score(yte, pred.numpy().ravel() * ys + ym)
with torch.no_grad():
    print("train R2", 1 - mse(model(Xtr), ttr).item(), "test R2", r2)
done(watch, r2)
