"""Reuse a digit network's features for new digits: train a new head on a frozen backbone."""

import torch
from kit import done, dressage, idx
from torch import nn

x, y = idx("mnist", "train", 8000)
xt, yt = idx("mnist", "t10k", 2000)
prep = lambda a: torch.from_numpy(a).float().unsqueeze(1) / 255.0
x, xt, y, yt = prep(x), prep(xt), torch.from_numpy(y), torch.from_numpy(yt)
old, new, new_t = y < 5, y >= 5, yt >= 5

backbone = nn.Sequential(
    nn.Conv2d(1, 16, 3, stride=2, padding=1),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.Flatten(),
)
first_head = nn.Linear(32 * 49, 5)
pre = torch.optim.Adam([*backbone.parameters(), *first_head.parameters()], lr=1e-3)
xo, yo = x[old], y[old]
for _ in range(2):
    for b in torch.randperm(len(xo)).split(64):
        pre.zero_grad()
        nn.functional.cross_entropy(first_head(backbone(xo[b])), yo[b]).backward()
        pre.step()

for p in backbone.parameters():
    p.requires_grad = False

head = nn.Linear(32 * 49, 5)
model = nn.Sequential(backbone, head)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(head.parameters(), lr=0.005, momentum=0.9)
xn, yn, xnt, ynt = x[new], y[new] - 5, xt[new_t], yt[new_t] - 5
watch = dressage.watch(model, optimizer)

for epoch in range(8):
    model.train()
    backbone.eval()
    for b in torch.randperm(len(xn)).split(32):
        optimizer.zero_grad()
        loss = criterion(model(xn[b]), yn[b])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(xnt)
        acc = (out.argmax(1) == ynt).float().mean().item()
    watch.validated(loss=criterion(out, ynt).item(), metric=acc)
    print(epoch, acc)

done(watch, acc)
