"""Teach a small student network what a larger convolutional teacher knows about Fashion-MNIST (knowledge distillation).

cause: loss.double_softmax
"""

import torch
import torch.nn.functional as F
from torch import nn

from kit import FIX, done, dressage, idx

x, y = idx("fashion-mnist", "train", 5000)
xt, yt = idx("fashion-mnist", "t10k", 2000)
x, xt = [(torch.from_numpy(a).float()[:, None] / 255 - 0.286) / 0.353 for a in (x, xt)]
y, yt = torch.from_numpy(y), torch.from_numpy(yt)

teacher = nn.Sequential(
    nn.Conv2d(1, 24, 5, stride=2, padding=2),
    nn.ReLU(),
    nn.Conv2d(24, 48, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Dropout(0.3),
    nn.Linear(48 * 49, 128),
    nn.ReLU(),
    nn.Linear(128, 10),
)
topt = torch.optim.Adam(teacher.parameters(), lr=1e-3)
for _ in range(4):
    for b in torch.randperm(len(x)).split(64):
        topt.zero_grad()
        F.cross_entropy(teacher(x[b]), y[b]).backward()
        topt.step()
teacher.eval().requires_grad_(False)
print("teacher", (teacher(xt).argmax(1) == yt).float().mean().item())


class Student(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.fc1 = nn.Linear(784, hidden)
        self.fc2 = nn.Linear(hidden, 10)

    def forward(self, x):
        h = torch.relu(self.fc1(x.flatten(1)))
        out = self.fc2(h)
        return out if FIX else F.softmax(out, dim=1)


def distillation_loss(student_out, teacher_out, labels, T=3.0, alpha=0.7):
    soft = (
        F.kl_div(F.log_softmax(student_out / T, dim=1), F.softmax(teacher_out / T, dim=1), reduction="batchmean")
        * T
        * T
    )
    hard = F.cross_entropy(student_out, labels)
    return alpha * soft + (1 - alpha) * hard


student = Student()
EPOCHS = 15
optimizer = torch.optim.Adam(student.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
watch = dressage.watch(student, optimizer, train=(x, y), val=(xt, yt))

with torch.no_grad():
    soft_train, soft_test = teacher(x), teacher(xt)
for epoch in range(EPOCHS):
    student.train()
    for b in torch.randperm(len(x)).split(64):
        loss = distillation_loss(student(x[b]), soft_train[b], y[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    student.eval()
    with torch.no_grad():
        out = student(xt)
        vl = distillation_loss(out, soft_test, yt).item()
    acc = (out.argmax(1) == yt).float().mean().item()
    watch.validated(loss=vl, metric=acc)
    print(epoch, round(loss.item(), 3), round(vl, 3), acc)
done(watch, acc)
