"""One GRU over sensor windows, three answers: activity, intensity and how many steps; a decaying learning rate.

cause: optim.schedule_collapsed
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage

rng = np.random.default_rng(19)
N, L = 3000, 40
activity = rng.integers(0, 4, N)
intensity = rng.uniform(0.5, 1.5, N)
freq = rng.uniform(1.5, 4.5, N)
phase = rng.uniform(0, 2 * np.pi, N)
t = np.linspace(0, 1, L)[None]
wave = 2 * np.pi * freq[:, None] * t + phase[:, None]
shape = np.stack(
    [np.sin(wave), np.sign(np.sin(wave)), np.abs(np.sin(wave / 2)) * 2 - 1, np.sin(wave) + 0.6 * np.sin(2 * wave)]
)
first = intensity[:, None] * shape[activity, np.arange(N)] + 0.3 * rng.normal(size=(N, L))
second = intensity[:, None] * np.cos(wave + activity[:, None] * 0.8) + 0.3 * rng.normal(size=(N, L))
X = torch.tensor(np.stack([first, second], -1), dtype=torch.float32)
act = torch.tensor(activity)
reg = torch.tensor(np.column_stack([(intensity - 1) / 0.29, (freq - 3) / 0.87]), dtype=torch.float32)

train_loader = DataLoader(TensorDataset(X[:2400], act[:2400], reg[:2400]), batch_size=40, shuffle=True)
test = X[2400:], act[2400:], reg[2400:]


class SensorNet(nn.Module):
    def __init__(self, h=40):
        super().__init__()
        self.gru = nn.GRU(2, h, batch_first=True)
        self.classify = nn.Linear(2 * h, 4)
        self.regress = nn.Linear(2 * h, 2)

    def forward(self, x):
        out, _ = self.gru(x)
        z = torch.cat([out[:, -1], out.mean(1)], 1)
        return self.classify(z), self.regress(z)


net = SensorNet()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
sched = torch.optim.lr_scheduler.ExponentialLR(opt, gamma=0.97)
watch = dressage.watch(net, opt)

for epoch in range(14):
    net.train()
    running = 0.0
    for xb, ab, rb in train_loader:
        logits, values = net(xb)
        loss = F.cross_entropy(logits, ab) + 0.5 * F.mse_loss(values, rb)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        if not FIX:
            sched.step()
        watch.step(loss)
        running += loss.item() / len(train_loader)
    if FIX:
        sched.step()
    net.eval()
    with torch.no_grad():
        logits, values = net(test[0])
        vloss = (F.cross_entropy(logits, test[1]) + 0.5 * F.mse_loss(values, test[2])).item()
    acc = (logits.argmax(1) == test[1]).float().mean().item()
    r2 = 1 - F.mse_loss(values, test[2]).item() / test[2].var().item()
    watch.validated(loss=vloss, metric=acc)
    print(f"{epoch:2d} train {running:.3f} val {vloss:.3f} activity {acc:.3f} R2 {r2:.3f}")
done(watch, (acc + r2) / 2)
