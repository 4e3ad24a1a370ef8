"""Distillation with hints: a thin student follows features and softened answers of a frozen teacher, unlabelled digits too."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage, idx


class Net(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(784, h), nn.BatchNorm1d(h), nn.ReLU(), nn.Linear(h, h), nn.ReLU())
        self.head = nn.Linear(h, 10)

    def forward(self, x):
        f = self.body(x)
        return self.head(f), f


x, y = idx("mnist", "train", 6000)
x, y = torch.tensor(x).float().flatten(1) / 255, torch.tensor(y)
xt, yt = idx("mnist", "t10k", 1000)
xt, yt = torch.tensor(xt).float().flatten(1) / 255, torch.tensor(yt)
teacher = Net(256)
opt_t = torch.optim.Adam(teacher.parameters(), lr=1e-3)
for _ in range(5):
    for rows in torch.randperm(len(x)).split(100):
        loss = F.cross_entropy(teacher(x[rows])[0], y[rows])
        opt_t.zero_grad()
        loss.backward()
        opt_t.step()
teacher.eval().requires_grad_(False)

student, regressor, T = Net(24), nn.Linear(24, 256), 4.0
labelled = torch.arange(len(x)) < 500
optimizer = torch.optim.Adam([*student.parameters(), *regressor.parameters()], lr=2e-3)
watch = dressage.watch(student, optimizer)
for epoch in range(8):
    student.train()
    for rows in torch.randperm(len(x)).split(100):
        logits, features = student(x[rows])
        with torch.no_grad():
            t_logits, t_features = teacher(x[rows])
        soft = F.kl_div(F.log_softmax(logits / T, 1), F.softmax(t_logits / T, 1), reduction="batchmean") * T * T
        known = labelled[rows]
        hard = F.cross_entropy(logits[known], y[rows][known], reduction="sum") / known.sum().clamp(min=1)
        loss = 0.7 * soft + 0.3 * hard + 0.1 * F.mse_loss(regressor(features), t_features)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
student.eval()
with torch.no_grad():
    done(watch, (student(xt)[0].argmax(1) == yt).float().mean())
