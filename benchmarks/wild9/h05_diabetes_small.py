"""The progress of diabetes from ten measurements: few rows, hence dropout and a strong weight decay."""

import torch
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from torch import nn

from kit import done, dressage

data = load_diabetes()
a, b, ya, yb = train_test_split(data.data, data.target, test_size=0.3, random_state=0)
mx, sx, my, sy = a.mean(0), a.std(0), ya.mean(), ya.std()
a, b = (torch.tensor((v - mx) / sx, dtype=torch.float32) for v in (a, b))
ya, yb = (torch.tensor((v - my) / sy, dtype=torch.float32)[:, None] for v in (ya, yb))

model = nn.Sequential(nn.Linear(10, 24), nn.GELU(), nn.Dropout(0.2), nn.Linear(24, 1))
loss_fn = nn.MSELoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.3)
schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=24 * 10)
watch = dressage.watch(model, optimizer, loss_fn, train=(a, ya), val=(b, yb))
for epoch in range(24):
    model.train()
    for rows in torch.randperm(len(a)).split(32):
        optimizer.zero_grad()
        loss = loss_fn(model(a[rows]), ya[rows])
        loss.backward()
        optimizer.step()
        schedule.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        watch.validated(loss=loss_fn(model(b), yb).item())

with torch.no_grad():
    done(watch, r2_score(yb.numpy(), model(b).numpy()))
