"""Wine by its chemistry: raw columns, a batch norm before everything (majority .4)."""

import torch
from kit import SEED, done, dressage
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y = load_wine(return_X_y=True)
parts = train_test_split(x.astype("float32"), y, test_size=58, random_state=SEED, stratify=y)
xtr, xva, ytr, yva = (torch.tensor(a) for a in parts)
loader = DataLoader(TensorDataset(xtr, ytr), batch_size=20, shuffle=True)
net = nn.Sequential(nn.BatchNorm1d(13), nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3))
opt = torch.optim.RMSprop(net.parameters(), lr=2e-3)
watch = dressage.watch(net, opt, nn.functional.cross_entropy, train=loader, val=TensorDataset(xva, yva))
for epoch in range(40):
    net.train()
    for a, b in loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(a), b)
        loss.backward()
        opt.step()
        watch.step(loss)
net.eval()
with torch.no_grad():
    done(watch, (net(xva).argmax(1) == yva).float().mean())
