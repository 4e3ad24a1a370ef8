"""One member of a bagged ensemble a turn: rows drawn with replacement, three nets, each watched (score: ensemble's R2)."""

import torch
from kit import SEED, done, dressage
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from torch import nn

x, y = load_diabetes(return_X_y=True)
xtr, xva, ytr, yva = train_test_split(x / x.std(0), y, test_size=110, random_state=SEED)
mean, std = ytr.mean(), ytr.std()
xtr, xva = torch.tensor(xtr, dtype=torch.float32), torch.tensor(xva, dtype=torch.float32)
ytr, yva = (torch.tensor((a - mean) / std, dtype=torch.float32).unsqueeze(1) for a in (ytr, yva))
outputs, criterion = [], nn.HuberLoss()
for member in range(3):
    rows = torch.randint(len(xtr), (len(xtr),))
    a, b = xtr[rows], ytr[rows]
    net = nn.Sequential(nn.Dropout(0.1), nn.Linear(10, 20), nn.Tanh(), nn.Dropout(0.3), nn.Linear(20, 1))
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=0.1)
    watch = dressage.watch(net, optimizer, criterion, train=(a, b), val=(xva, yva))
    for epoch in range(20):
        net.train()
        for part in torch.randperm(len(a)).split(32):
            optimizer.zero_grad()
            loss = criterion(net(a[part]), b[part])
            loss.backward()
            optimizer.step()
            watch.step(loss)
    net.eval()
    with torch.no_grad():
        outputs.append(net(xva))
guess = torch.stack(outputs).mean(0)
done(watch, 1 - ((guess - yva) ** 2).mean() / yva.var(unbiased=False))
