"""AdamW with a decay of 1.0, and the average of the last weights (SWA) that is used at the end (chance .1)."""

import torch
from kit import SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.optim.swa_utils import AveragedModel

x, y = load_digits(return_X_y=True)
xtr, xva, ytr, yva = train_test_split(x / 8 - 1, y, test_size=450, random_state=SEED)
xtr, xva = (torch.tensor(a, dtype=torch.float32) for a in (xtr, xva))
ytr, yva = torch.tensor(ytr), torch.tensor(yva)
model = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.LayerNorm(128), nn.Linear(128, 10))
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1.0)
average = AveragedModel(model)
watch = dressage.watch(model, optimizer, nn.CrossEntropyLoss(), train=(xtr, ytr), val=(xva, yva))
for epoch in range(14):
    for rows in torch.randperm(len(xtr)).split(32):
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(xtr[rows]), ytr[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    if epoch >= 9:
        average.update_parameters(model)
with torch.no_grad():
    done(watch, (average(xva).argmax(1) == yva).float().mean())
