"""A small student learns from the soft answers of a larger teacher (MNIST)."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from kit import done, dressage, idx

T, ALPHA = 3.0, 0.8
x, y = idx("mnist", "train", 4000)
xv, yv = idx("mnist", "t10k", 1000)
x, xv = (torch.from_numpy(a).float()[:, None] / 255 for a in (x, xv))
y, yv = torch.from_numpy(y), torch.from_numpy(yv)


def batches(size):
    for rows in torch.randperm(len(x)).split(size):
        yield rows, x[rows], y[rows]


teacher = nn.Sequential(
    nn.Conv2d(1, 16, 5, stride=2),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(800, 96),
    nn.ReLU(),
    nn.Linear(96, 10),
)
pre = torch.optim.Adam(teacher.parameters(), lr=2e-3)
for epoch in range(8):
    for _, a, b in batches(64):
        pre.zero_grad()
        F.cross_entropy(teacher(a), b).backward()
        pre.step()
teacher.eval().requires_grad_(False)
soft = torch.cat([teacher(a) for a in x.split(500)])


def distillation(output, hard, soft):
    kl = F.kl_div(F.log_softmax(output / T, 1), F.log_softmax(soft / T, 1), reduction="batchmean", log_target=True)
    return ALPHA * T * T * kl + (1 - ALPHA) * F.cross_entropy(output, hard)


student = nn.Sequential(
    nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(300, 10)
)
optimizer = torch.optim.Adam(student.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 16)
watch = dressage.watch(student, optimizer)
for epoch in range(16):
    student.train()
    for rows, a, b in batches(64):
        loss = distillation(student(a), b, soft[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    schedule.step()
    student.eval()
    with torch.no_grad():
        out = student(xv)
        acc = (out.argmax(1) == yv).float().mean().item()
        watch.validated(loss=F.cross_entropy(out, yv).item(), metric=acc)

done(watch, acc)
