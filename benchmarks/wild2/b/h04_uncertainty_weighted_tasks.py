"""Two heads with losses weighed by learned log-variances: the sum goes to zero and below while both tasks are learned."""

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Clothes(Dataset):
    def __init__(self, part, n):
        images, self.labels = idx("fashion-mnist", part, n)
        self.images = torch.tensor(images, dtype=torch.float32).unsqueeze(1) / 255
        area = (self.images > 0.1).float().mean((1, 2, 3))
        self.area = (area - 0.5) / 0.17

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, k):
        return {"pixels": self.images[k], "kind": int(self.labels[k]), "area": self.area[k]}


class MultiTask(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2),
            nn.ELU(),
            nn.Conv2d(8, 16, 5, stride=2),
            nn.ELU(),
            nn.Flatten(),
            nn.Linear(256, 48),
            nn.ELU(),
        )
        self.kind, self.area = nn.Linear(48, 10), nn.Linear(48, 1)
        self.log_var = nn.Parameter(torch.zeros(2))

    def forward(self, pixels, kind=None, area=None):
        h = self.trunk(pixels)
        out = {"kind": self.kind(h), "area": self.area(h).squeeze(1)}
        if kind is not None:
            parts = torch.stack([F.cross_entropy(out["kind"], kind), F.mse_loss(out["area"], area)])
            out["loss"] = (torch.exp(-self.log_var) * parts + 0.5 * self.log_var).sum()
        return out


train, test = Clothes("train", 3500), Clothes("t10k", 1000)
loader = DataLoader(train, batch_size=35, shuffle=True)
model = MultiTask()
optimizer = torch.optim.Adam(model.parameters(), lr=1.5e-3)
watch = dressage.watch(model, optimizer, train=loader, val=DataLoader(test, 100))
for epoch in range(6):
    for batch in loader:
        loss = model(**batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    print(epoch, loss.item(), model.log_var.tolist())
with torch.no_grad():
    out = model(test.images)
kind = (out["kind"].argmax(1) == torch.tensor(test.labels)).float().mean()
r2 = 1 - F.mse_loss(out["area"], test.area) / test.area.var()
print("accuracy", kind.item(), "R2", r2.item())
done(watch, 0.5 * (kind + r2))
