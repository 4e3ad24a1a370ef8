"""Fashion look-alikes: triplet embedding on top of a frozen convolution backbone trained on other classes."""

import torch
import torch.nn.functional as F
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from kit import done, dressage, idx

x, y = idx("fashion-mnist", "train", 6000)
xt, yt = idx("fashion-mnist", "t10k", 1500)
x, xt = [(torch.from_numpy(a).float()[:, None] / 255 - 0.286) / 0.353 for a in (x, xt)]
y, yt = torch.from_numpy(y), torch.from_numpy(yt)

# a short pre-training on the classes 0-4
backbone = nn.Sequential(
    nn.Conv2d(1, 16, 5, stride=2, padding=2),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Flatten(),
)
head = nn.Linear(32 * 49, 5)
pre = torch.optim.Adam([*backbone.parameters(), *head.parameters()], lr=2e-3)
known = torch.nonzero(y < 5).squeeze(1)
for _ in range(2):
    for b in known[torch.randperm(len(known))].split(64):
        pre.zero_grad()
        F.cross_entropy(head(backbone(x[b])), y[b]).backward()
        pre.step()


class Embedder(nn.Module):
    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        self.head = nn.Sequential(nn.Linear(32 * 49, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 24))

    def forward(self, x):
        return F.normalize(self.head(self.backbone(x)), dim=1)


def all_triplets(z, labels, margin=0.4):
    """Every triplet of the batch; most of them are fine early and give zero."""
    dist = 2 - 2 * z @ z.T
    same = labels[:, None] == labels[None]
    valid = (same & ~torch.eye(len(z), dtype=torch.bool))[:, :, None] & ~same[:, None, :]
    return F.relu(dist[:, :, None] - dist[:, None, :] + margin)[valid].mean()


model = Embedder(backbone)
optimizer = torch.optim.AdamW(model.head.parameters(), lr=1e-3, weight_decay=0.05)
EPOCHS = 7
sched = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
watch = dressage.watch(model, optimizer)

for epoch in range(EPOCHS):
    model.train()
    total = 0
    for b in torch.randperm(len(x)).split(80):
        loss = all_triplets(model(x[b]), y[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
        total += loss.item() / 75
    sched.step()
    model.eval()
    with torch.no_grad():
        gallery, probe = model(x), model(xt)
    vloss = torch.stack([all_triplets(probe[i : i + 80], yt[i : i + 80]) for i in range(0, 1440, 80)]).mean().item()
    acc = KNeighborsClassifier(10).fit(gallery.numpy(), y.numpy()).score(probe.numpy(), yt.numpy())
    watch.validated(loss=vloss, metric=acc)
    print(epoch, round(total, 4), round(vloss, 4), round(acc, 4))
done(watch, acc)
