"""Which strokes a digit has (several labels a row); softmax at the end and BCELoss.

cause: model.wrong_output_activation loss.double_softmax
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from sklearn.metrics import f1_score
from torch.utils.data import DataLoader, TensorDataset, random_split

x, d = idx("mnist", "train", 4000)
segments = torch.tensor(
    [
        [1, 1, 1, 1, 1, 1, 0],
        [0, 1, 1, 0, 0, 0, 0],
        [1, 1, 0, 1, 1, 0, 1],
        [1, 1, 1, 1, 0, 0, 1],
        [0, 1, 1, 0, 0, 1, 1],
        [1, 0, 1, 1, 0, 1, 1],
        [1, 0, 1, 1, 1, 1, 1],
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 0, 1, 1],
    ]
).float()
ds = TensorDataset(torch.tensor(x).float().unsqueeze(1) / 255, segments[torch.tensor(d)])
train_ds, val_ds = random_split(ds, [3200, 800])
train_dl, val_dl = DataLoader(train_ds, 64, shuffle=True), DataLoader(val_ds, 200)
net = nn.Sequential(
    nn.Conv2d(1, 8, 3, stride=2),
    nn.ReLU(),
    nn.Conv2d(8, 16, 3, stride=2),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(16 * 36, 64),
    nn.ReLU(),
    nn.Linear(64, 7),
    nn.Sigmoid() if FIX else nn.Softmax(dim=1),
)
bce = nn.BCELoss()
opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
watch = dressage.watch(net, opt, bce, train=train_dl, val=val_dl)
for ep in range(5):
    net.train()
    for xb, yb in train_dl:
        out = net(xb)
        l = bce(out, yb)
        opt.zero_grad()
        l.backward()
        opt.step()
        watch.step(l)
net.eval()
with torch.no_grad():
    p = torch.cat([net(a) for a, _ in val_dl]) > 0.5
    t = torch.cat([b for _, b in val_dl])
done(watch, f1_score(t, p, average="macro", zero_division=0))
