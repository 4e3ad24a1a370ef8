"""A small net learns from a larger one's softened answers, by the Kullback-Leibler divergence."""

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from torch import nn

x, y = idx("fashion-mnist", "train", 3000)
xv, yv = idx("fashion-mnist", "t10k", 1000)
x, xv = torch.tensor(x).float().flatten(1) / 255, torch.tensor(xv).float().flatten(1) / 255
y, yv = torch.tensor(y), torch.tensor(yv)
teacher = nn.Sequential(nn.Linear(784, 200), nn.ReLU(), nn.Dropout(0.3), nn.Linear(200, 10))
adam = torch.optim.Adam(teacher.parameters(), lr=1e-3)
for epoch in range(8):
    for b in torch.randperm(3000).split(50):
        adam.zero_grad()
        F.cross_entropy(teacher(x[b]), y[b]).backward()
        adam.step()
teacher.eval()
TEMPERATURE = 4.0
with torch.no_grad():
    soft, soft_val = F.softmax(teacher(x) / TEMPERATURE, 1), F.softmax(teacher(xv) / TEMPERATURE, 1)


def distil(logits, target):
    return F.kl_div(F.log_softmax(logits / TEMPERATURE, 1), target, reduction="batchmean") * TEMPERATURE**2


student = nn.Sequential(nn.Linear(784, 24), nn.ReLU(), nn.Linear(24, 10))
optimizer = torch.optim.Adam(student.parameters(), lr=2e-3)
watch = dressage.watch(student, optimizer, distil, train=(x, soft), val=(xv, soft_val))
for epoch in range(8):
    for b in torch.randperm(3000).split(50):
        optimizer.zero_grad()
        loss = distil(student(x[b]), soft[b])
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, (student(xv).argmax(1) == yv).float().mean())
