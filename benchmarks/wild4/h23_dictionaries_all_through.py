"""Batches are dictionaries and so are the answers: what garment, and is it dark; collate_fn of one's own (chance .1)."""

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, Dataset

x, y = idx("fashion-mnist", "train", 3000)
xt, yt = idx("fashion-mnist", "t10k", 800)
edge = x.reshape(-1, 784).mean(1).mean()


class Garments(Dataset):
    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        a = self.images[i]
        return {"picture": a, "profile": a.mean(0), "label": int(self.labels[i]), "dark": float(a.mean() > edge)}


def collate(rows):
    out = {k: torch.tensor([r[k] for r in rows]) for k in ("label", "dark")}
    for k in ("picture", "profile"):
        out[k] = torch.stack([torch.from_numpy(r[k]).float() for r in rows]) / 255 - 0.286
    return out


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.see = nn.Sequential(nn.Flatten(), nn.Linear(784, 96), nn.ReLU())
        self.read = nn.Sequential(nn.Linear(28, 32), nn.ReLU())
        self.label, self.dark = nn.Linear(128, 10), nn.Linear(128, 1)

    def forward(self, batch):
        h = torch.cat([self.see(batch["picture"]), self.read(batch["profile"])], 1)
        return {"label": self.label(h), "dark": self.dark(h).squeeze(1)}


def both(out, batch):
    return F.cross_entropy(out["label"], batch["label"]) + 0.3 * F.binary_cross_entropy_with_logits(
        out["dark"], batch["dark"]
    )


train = DataLoader(Garments(x, y), 50, shuffle=True, collate_fn=collate)
val = DataLoader(Garments(xt, yt), 200, collate_fn=collate)
model = Net()
optimizer = torch.optim.NAdam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, both, train=train, val=val)
for epoch in range(6):
    for batch in train:
        optimizer.zero_grad()
        loss = both(model(batch), batch)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    right = sum((model(b)["label"].argmax(1) == b["label"]).sum().item() for b in val)
done(watch, right / len(xt))
