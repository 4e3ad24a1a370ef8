"""Few-shot episodes of clothes: a network whose loss is of distances to class means, judged on pictures never trained on."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage, idx

x, y = idx("fashion-mnist", "train", 6000)
x = torch.tensor(x).float().unsqueeze(1) / 255
WAY, SHOT, QUERY = 6, 3, 5
seen = {c: np.where(y[:5000] == c)[0] for c in range(10)}
new = {c: np.where(y[5000:] == c)[0] + 5000 for c in range(10)}


def episode(by_class, way):
    chosen = np.random.choice(10, way, replace=False)
    rows = np.stack([np.random.choice(by_class[c], SHOT + QUERY, replace=False) for c in chosen])
    return x[rows[:, :SHOT].ravel()], x[rows[:, SHOT:].ravel()], torch.arange(way).repeat_interleave(QUERY)


def block(a, b):
    return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2))


class ProtoNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(block(1, 16), block(16, 16), block(16, 16), nn.Flatten())

    def forward(self, support, query, way):
        z = self.body(torch.cat([support, query]))
        prototypes = z[: len(support)].view(way, SHOT, -1).mean(1)
        return -(torch.cdist(z[len(support) :], prototypes) ** 2) / z.shape[1] ** 0.5


net = ProtoNet()
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
sched = torch.optim.lr_scheduler.StepLR(opt, 100, 0.5)
watch = dressage.watch(net, opt)
for it in range(300):
    support, query, target = episode(seen, WAY)
    loss = F.cross_entropy(net(support, query, WAY), target)
    opt.zero_grad()
    loss.backward()
    opt.step()
    sched.step()
    watch.step(loss)
net.eval()
right = []
with torch.no_grad():
    for _ in range(60):
        support, query, target = episode(new, WAY)
        right.append((net(support, query, WAY).argmax(1) == target).float().mean().item())
done(watch, np.mean(right))
