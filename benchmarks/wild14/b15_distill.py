"""Distil a wide teacher of Fashion-MNIST into a small student with soft targets.

cause: loss.logits_as_probs
"""

import torch
import torch.nn.functional as F
from torch import nn

from kit import FIX, done, dressage, idx

x, y = idx("fashion-mnist", "train", 6000)
xt, yt = idx("fashion-mnist", "t10k", 1000)
x, xt = ((torch.tensor(a).float().flatten(1) / 255 - 0.286) / 0.353 for a in (x, xt))
y, yt = torch.tensor(y), torch.tensor(yt)

teacher = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, 10))
topt = torch.optim.Adam(teacher.parameters(), lr=1e-3)
for epoch in range(6):
    for b in torch.randperm(6000).split(64):
        topt.zero_grad()
        F.cross_entropy(teacher(x[b]), y[b]).backward()
        topt.step()
teacher.eval()
with torch.no_grad():
    soft = teacher(x)

TEMP = 3.0
student = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
opt = torch.optim.Adam(student.parameters(), lr=2e-3)


def kd_loss(out, teacher_logits):
    target = F.softmax(teacher_logits / TEMP, 1)
    guess = F.log_softmax(out / TEMP, 1) if FIX else out / TEMP
    return F.kl_div(guess, target, reduction="batchmean") * TEMP**2


watch = dressage.watch(student, opt, kd_loss, train=(x, soft))
for epoch in range(8):
    for b in torch.randperm(len(x)).split(64):
        loss = kd_loss(student(x[b]), soft[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
    with torch.no_grad():
        acc = (student(xt).argmax(1) == yt).float().mean().item()
    watch.validated(metric=acc)
done(watch, acc)
