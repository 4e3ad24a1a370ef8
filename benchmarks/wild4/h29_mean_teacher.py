"""150 labels and many pictures without: a slow copy teaches the net (mean teacher) (chance .1)."""

import copy

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from torch import nn

x, y = idx("mnist", "train", 3000)
xt, yt = idx("mnist", "t10k", 1000)
x, xt = (torch.tensor((a.reshape(-1, 784) / 255 - 0.13) / 0.31, dtype=torch.float32) for a in (x, xt))
y, yt = torch.tensor(y), torch.tensor(yt)
few = torch.cat([(y == k).nonzero().squeeze(1)[:15] for k in range(10)])
student = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10))
teacher = copy.deepcopy(student).requires_grad_(False)
optimizer = torch.optim.Adam(student.parameters(), lr=1e-3)
watch = dressage.watch(student, optimizer, val=(xt, yt))
steps = 700
student.train()
teacher.eval()
for step in range(steps):
    i = few[torch.randint(len(few), (16,))]
    j = torch.randint(len(x), (64,))
    with torch.no_grad():
        soft = teacher(x[j]).softmax(1)
    out = student(torch.cat([x[i], x[j] + 0.3 * torch.randn(64, 784)]))
    weight = 5 * min(1, step / 300)
    loss = F.cross_entropy(out[:16], y[i]) + weight * F.mse_loss(out[16:].softmax(1), soft)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for a, b in zip(teacher.parameters(), student.parameters()):
            a.lerp_(b, 0.02)
    watch.step(loss)
with torch.no_grad():
    done(watch, (teacher(xt).argmax(1) == yt).float().mean())
