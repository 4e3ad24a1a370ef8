"""Weight_decay=0.1 carried over from AdamW to Adam.

cause: optim.over_regularised
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

(xa, ya), (xb, yb) = idx("mnist", "train", 3000), idx("mnist", "t10k", 1000)
g = lambda x: torch.tensor(x).float().unsqueeze(1).div(255).sub(0.13).div(0.31)
tl = DataLoader(TensorDataset(g(xa), torch.tensor(ya)), batch_size=64, shuffle=True)
vl = DataLoader(TensorDataset(g(xb), torch.tensor(yb)), batch_size=250)


class Patches(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.cut = nn.Conv2d(1, d, 7, 7)
        self.pos = nn.Parameter(torch.randn(1, 16, d) * 0.02)
        layer = nn.TransformerEncoderLayer(d, 4, 64, 0.0, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(d, 10)

    def forward(self, x):
        return self.head(self.body(self.cut(x).flatten(2).transpose(1, 2) + self.pos).mean(1))


vit = Patches()
lossf = nn.CrossEntropyLoss()
optim = (torch.optim.AdamW if FIX else torch.optim.Adam)(vit.parameters(), lr=2e-3, weight_decay=0.1)
watch = dressage.watch(vit, optim, lossf, train=tl, val=vl)
for epoch in range(5):
    vit.train()
    for x, y in tl:
        optim.zero_grad()
        l = lossf(vit(x), y)
        l.backward()
        optim.step()
        watch.step(l)
    vit.eval()
    with torch.no_grad():
        acc = torch.cat([vit(x).argmax(1) == y for x, y in vl]).float().mean().item()
    watch.validated(metric=acc)
    print(epoch, l.item(), acc)
done(watch, acc)
