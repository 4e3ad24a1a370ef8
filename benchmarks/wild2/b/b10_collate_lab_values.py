"""Tumours from laboratory values, some of them not measured; batches are dicts, the forward pass runs in bfloat16.

cause: data.nonfinite
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.utils.data import DataLoader, Dataset

rng = np.random.RandomState(SEED)
table = load_breast_cancer()
order = rng.permutation(len(table.target))
values = table.data[order].copy()
values[rng.rand(*values.shape) < 0.01] = np.nan
labels = table.target[order]
mean, std = np.nanmean(values[:420], 0), np.nanstd(values[:420], 0)
values = (values - mean) / std
if FIX:
    values = np.nan_to_num(values)


class Patients(Dataset):
    def __init__(self, part):
        self.rows = [{"values": v, "age": 20 + k % 60, "label": int(t)} for k, (v, t) in part]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, k):
        return self.rows[k]


def collate(rows):
    return {
        "values": torch.tensor(np.stack([r["values"] for r in rows]), dtype=torch.float32),
        "age": torch.tensor([[(r["age"] - 50) / 20] for r in rows]),
        "label": torch.tensor([r["label"] for r in rows]),
    }


rows = list(enumerate(zip(values, labels)))
train_loader = DataLoader(Patients(rows[:420]), batch_size=16, shuffle=True, collate_fn=collate)
val_loader = DataLoader(Patients(rows[420:]), batch_size=64, collate_fn=collate)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(31, 32), nn.LayerNorm(32), nn.GELU(), nn.Dropout(0.2), nn.Linear(32, 16))
        self.head = nn.Linear(16, 2)

    def forward(self, values, age):
        return self.head(nn.functional.gelu(self.body(torch.cat([values, age], 1))))


net = Net()
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
watch = dressage.watch(net, optimizer, criterion, train=train_loader, val=val_loader)
for epoch in range(12):
    net.train()
    for batch in train_loader:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = net(batch["values"], batch["age"])
        loss = criterion(logits.float(), batch["label"])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        watch.step(loss)

net.eval()
hits = []
with torch.no_grad():
    for batch in val_loader:
        hits.append((net(batch["values"], batch["age"]).argmax(1) == batch["label"]).float())
done(watch, torch.cat(hits).mean())
