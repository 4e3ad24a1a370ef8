"""Match the upper and the lower half of clothing pictures by contrastive learning (InfoNCE) of two encoders."""

import torch
import torch.nn.functional as F
from torch import nn

from kit import done, dressage, idx

prep = lambda part, n: (torch.from_numpy(idx("fashion-mnist", part, n)[0]).float().unsqueeze(1) / 255 - 0.286) / 0.353
train, test = prep("train", 8000), prep("t10k", 1000)


class Tower(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(14 * 28, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 64))


class Matcher(nn.Module):
    def __init__(self):
        super().__init__()
        self.top, self.bottom = Tower(), Tower()
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    def forward(self, x):
        a = F.normalize(self.top(x[:, :, :14]), dim=1)
        b = F.normalize(self.bottom(x[:, :, 14:]), dim=1)
        return a @ b.T * self.log_scale.exp().clamp(max=60)


def info_nce(sim):
    target = torch.arange(len(sim))
    return (F.cross_entropy(sim, target) + F.cross_entropy(sim.T, target)) / 2


def recall(sim, k=5):
    return (sim.topk(k, 1).indices == torch.arange(len(sim))[:, None]).any(1).float().mean().item()


model = Matcher()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
EPOCHS, BATCH = 14, 128
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=EPOCHS * (len(train) // BATCH))
watch = dressage.watch(model, optimizer)
for epoch in range(EPOCHS):
    model.train()
    for rows in torch.randperm(len(train))[: len(train) // BATCH * BATCH].split(BATCH):
        loss = info_nce(model(train[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        sim = model(test)
    watch.validated(loss=info_nce(sim[:128, :128]).item(), metric=recall(sim))
done(watch, recall(sim))
