"""Learn an embedding of garments with triplets, hardest negatives in the batch, then look up neighbours."""

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from torch import nn

xa, ya = idx("fashion-mnist", "train", 4000)
xb, yb = idx("fashion-mnist", "t10k", 1000)
prep = lambda a: (torch.from_numpy(a).float().unsqueeze(1) / 255 - 0.286) / 0.353
xa, xb, ya, yb = prep(xa), prep(xb), torch.from_numpy(ya), torch.from_numpy(yb)


class Embedder(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
        )
        self.fc = nn.Linear(32 * 49, dim)

    def forward(self, x):
        return F.normalize(self.fc(self.conv(x).flatten(1)), dim=1)


def triplet_loss(anchor, positive, labels, margin=0.3):
    d = torch.cdist(anchor, positive)
    same = labels[:, None] == labels[None]
    negative = d.masked_fill(same, 9.0).min(1).values
    return F.softplus((d.diagonal() - negative + margin) * 5).mean() / 5


by_class = [torch.nonzero(ya == k).squeeze(1) for k in range(10)]


def partner(labels):
    return torch.stack([by_class[k][torch.randint(len(by_class[k]), (1,))[0]] for k in labels.tolist()])


@torch.no_grad()
def retrieval():
    model.eval()
    e, q = model(xa), model(xb)
    nearest = (q @ e.T).topk(5, 1).indices
    return (ya[nearest].mode(1).values == yb).float().mean().item()


model = Embedder()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)
watch = dressage.watch(model, optimizer)

for epoch in range(6):
    model.train()
    for b in torch.randperm(len(xa)).split(64):
        if len(b) < 64:
            continue
        z = model(torch.cat([xa[b], xa[partner(ya[b])]]))
        loss = triplet_loss(z[:64], z[64:], ya[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    schedule.step()
    r = retrieval()
    watch.validated(metric=r)
    print(epoch, loss.item(), r)

done(watch, r)
