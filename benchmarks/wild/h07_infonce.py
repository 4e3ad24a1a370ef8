"""Two noisy views of a digit find one another in the batch."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage, idx

x, y = idx("mnist", "train", 2500)
x = torch.tensor(x).float().view(-1, 784) / 255
y = torch.tensor(y)
aug = lambda b: F.dropout(b, 0.3) + 0.1 * torch.randn_like(b)
enc = nn.Sequential(nn.Linear(784, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU())
proj = nn.Linear(64, 32)
model = nn.Sequential(enc, proj)


class NTXent(nn.Module):
    def forward(self, a, b):
        a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
        logits = a @ b.t() / 0.2
        t = torch.arange(len(a))
        return (F.cross_entropy(logits, t) + F.cross_entropy(logits.t(), t)) / 2


crit, opt = NTXent(), torch.optim.Adam(model.parameters(), 1e-3)
watch = dressage.watch(model, opt, crit)
for ep in range(8):
    for i in torch.randperm(2000).split(100):
        a, b = aug(x[i]), aug(x[i])
        loss = crit(model(a), model(b))
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    e, q = enc(x[:2000]), enc(x[2000:])
done(watch, (y[:2000][torch.cdist(q, e).argmin(1)] == y[2000:]).float().mean())
