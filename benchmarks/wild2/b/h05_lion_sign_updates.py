"""An optimiser of one's own, by the sign of an average of gradients: every weight moves by the same amount at every step."""

import torch
from kit import SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        for g in self.param_groups:
            b1, b2 = g["betas"]
            for p in g["params"]:
                if p.grad is None:
                    continue
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                p.mul_(1 - g["lr"] * g["weight_decay"])
                p.add_((b1 * m + (1 - b1) * p.grad).sign(), alpha=-g["lr"])
                m.lerp_(p.grad, 1 - b2)


X, y = load_digits(return_X_y=True)
a, b, c, d = train_test_split(X / 8 - 1, y, test_size=0.3, random_state=SEED)
a, b = torch.tensor(a, dtype=torch.float32), torch.tensor(b, dtype=torch.float32)
c, d = torch.tensor(c), torch.tensor(d)
net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
opt = Lion(net.parameters(), lr=1e-3, weight_decay=0.3)
sched = torch.optim.lr_scheduler.StepLR(opt, 12, gamma=0.3)
loss_fn = nn.CrossEntropyLoss()
watch = dressage.watch(net, opt, loss_fn, train=(a, c), val=(b, d))
for epoch in range(30):
    net.train()
    for rows in torch.randperm(len(a)).split(64):
        opt.zero_grad()
        loss = loss_fn(net(a[rows]), c[rows])
        loss.backward()
        opt.step()
        watch.step(loss)
    sched.step()
net.eval()
with torch.no_grad():
    done(watch, (net(b).argmax(1) == d).float().mean())
