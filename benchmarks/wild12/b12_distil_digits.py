"""Distil a wide teacher network into a tiny student on handwritten digits.

cause: optim.no_zero_grad
"""

import torch
import torch.nn.functional as F
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.3, random_state=SEED, stratify=y)
Xa, Xb = torch.tensor(Xa).float(), torch.tensor(Xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)

teacher = nn.Sequential(
    nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
)
t_opt = torch.optim.Adam(teacher.parameters(), lr=1e-3)
for _ in range(20):
    for b in torch.randperm(len(Xa)).split(64):
        t_loss = F.cross_entropy(teacher(Xa[b]), ya[b])
        t_opt.zero_grad()
        t_loss.backward()
        t_opt.step()
teacher.eval().requires_grad_(False)
print("teacher", (teacher(Xb).argmax(1) == yb).float().mean().item())


def kd_loss(student_logits, teacher_logits, labels, T=3.0, alpha=0.7):
    soft = (
        F.kl_div(F.log_softmax(student_logits / T, 1), F.softmax(teacher_logits / T, 1), reduction="batchmean") * T * T
    )
    return alpha * soft + (1 - alpha) * F.cross_entropy(student_logits, labels)


student = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
optimizer = torch.optim.Adam(student.parameters(), lr=3e-3)
watch = dressage.watch(student, optimizer)

for epoch in range(30):
    student.train()
    for b in torch.randperm(len(Xa)).split(32):
        with torch.no_grad():
            guide = teacher(Xa[b])
        loss = kd_loss(student(Xa[b]), guide, ya[b])
        if FIX:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    student.eval()
    with torch.no_grad():
        out = student(Xb)
        accuracy = (out.argmax(1) == yb).float().mean().item()
        watch.validated(loss=kd_loss(out, teacher(Xb), yb).item(), metric=accuracy)

done(watch, accuracy)
