"""Distil a wide network on clothes into a small student, with soft targets.

cause: loss.double_softmax
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx

T, ALPHA = 3.0, 0.7
x, y = idx("fashion-mnist", "train", 4000)
xt, yt = idx("fashion-mnist", "t10k", 1500)
x, xt = [(torch.tensor(a / 255.0).float().flatten(1) - 0.29) / 0.35 for a in (x, xt)]
y, yt = torch.tensor(y), torch.tensor(yt)


def train_teacher():
    teacher = nn.Sequential(nn.Linear(784, 200), nn.ReLU(), nn.Dropout(0.3), nn.Linear(200, 10))
    opt = torch.optim.Adam(teacher.parameters(), lr=1e-3)
    for _ in range(6):
        for rows in torch.randperm(len(x)).split(100):
            opt.zero_grad()
            F.cross_entropy(teacher(x[rows]), y[rows]).backward()
            opt.step()
    return teacher.eval().requires_grad_(False)


class Student(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(784, 24)
        self.out = nn.Linear(24, 10)

    def forward(self, img):
        z = self.out(torch.relu(self.hidden(img)))
        return z if FIX else F.softmax(z, dim=1)


class DistillationLoss(nn.Module):
    def forward(self, student, teacher, label):
        soft = F.kl_div(F.log_softmax(student / T, 1), F.softmax(teacher / T, 1), reduction="batchmean") * T * T
        return ALPHA * soft + (1 - ALPHA) * F.cross_entropy(student, label)


teacher = train_teacher()
student = Student()
optimizer = torch.optim.SGD(student.parameters(), lr=0.01, momentum=0.9)
criterion = DistillationLoss()
loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
watch = dressage.watch(student, optimizer, train=loader, val=(xt, yt))

for epoch in range(12):
    student.train()
    for xb, yb in loader:
        loss = criterion(student(xb), teacher(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    student.eval()
    with torch.no_grad():
        out = student(xt)
        acc = (out.argmax(1) == yt).float().mean().item()
        watch.validated(loss=criterion(out, teacher(xt), yt).item(), metric=acc)

done(watch, acc)
