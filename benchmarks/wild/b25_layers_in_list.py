"""Two inputs, hidden layers in a Python list: not registered, so never trained.

cause: optim.frozen_params
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

x, d = idx("mnist", "train", 6000)
x = torch.tensor(x[:, ::2, ::2] / 255.0, dtype=torch.float32).flatten(1)
d = torch.tensor(d)
a, b, y = x[:3000], x[3000:], (d[:3000] >= d[3000:]).float()


class Compare(nn.Module):
    def __init__(self, depth=5):
        super().__init__()
        self.left, self.right = nn.Linear(196, 4), nn.Linear(196, 4)
        hidden = [nn.Linear(8, 32) if i == 0 else nn.Linear(32, 32) for i in range(depth)]
        self.hidden = nn.ModuleList(hidden) if FIX else hidden
        self.out = nn.Linear(32, 1)

    def forward(self, a, b):
        h = torch.cat([torch.relu(self.left(a)), torch.relu(self.right(b))], 1)
        for layer in self.hidden:
            h = torch.relu(layer(h))
        return self.out(h).squeeze(-1)


net = Compare()
lossf = nn.BCEWithLogitsLoss()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
loader = DataLoader(TensorDataset(a[:2400], b[:2400], y[:2400]), 32, shuffle=True)
watch = dressage.watch(net, opt, lossf, train=loader)
for epoch in range(10):
    for xa, xb, t in loader:
        opt.zero_grad()
        loss = lossf(net(xa, xb), t)
        loss.backward()
        opt.step()
        watch.step(loss)
with torch.no_grad():
    acc = ((net(a[2400:], b[2400:]) > 0).float() == y[2400:]).float().mean()
done(watch, acc)
