"""Two pictures in, two answers out: the sum of two handwritten digits and which is larger, weighted by learned uncertainties."""

import torch
import torch.nn.functional as F
from torch import nn

from kit import done, dressage, idx

x, y = idx("mnist", "train", 8000)
xt, yt = idx("mnist", "t10k", 2000)
x, xt = [F.max_pool2d(torch.from_numpy(a).float()[:, None] / 255 - 0.13, 2) for a in (x, xt)]
y, yt = torch.from_numpy(y), torch.from_numpy(yt)


class PairNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.eye = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 25, 64),
            nn.ReLU(),
            nn.Dropout(0.2),
        )
        self.join = nn.Sequential(nn.Linear(128, 96), nn.ReLU())
        self.total, self.larger = nn.Linear(96, 1), nn.Linear(96, 1)
        self.log_var = nn.Parameter(torch.zeros(2))

    def forward(self, a, b):
        h = self.join(torch.cat([self.eye(a), self.eye(b)], 1))
        return self.total(h).squeeze(1), self.larger(h).squeeze(1)


def losses(model, a, b, ya, yb):
    total, larger = model(a, b)
    l_sum = F.mse_loss(total, (ya + yb - 9) / 4.0)
    l_cmp = F.binary_cross_entropy_with_logits(larger, (ya > yb).float())
    s = model.log_var
    joint = 0.5 * torch.exp(-s[0]) * l_sum + torch.exp(-s[1]) * l_cmp + 0.5 * s.sum()
    return joint, total, larger


model = PairNet()
body = [p for n, p in model.named_parameters() if n != "log_var"]
optimizer = torch.optim.Adam([{"params": body, "lr": 1.5e-3}, {"params": [model.log_var], "lr": 1e-2}])
EPOCHS = 10
steps = EPOCHS * 62
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, [3e-3, 1e-2], total_steps=steps)
watch = dressage.watch(model, optimizer)

half = len(xt) // 2
for epoch in range(EPOCHS):
    model.train()
    p, q = torch.randperm(8000), torch.randperm(8000)
    for i in range(0, 62 * 128, 128):
        a, b = p[i : i + 128], q[i : i + 128]
        loss, _, _ = losses(model, x[a], x[b], y[a], y[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        vloss, total, larger = losses(model, xt[:half], xt[half:], yt[:half], yt[half:])
    want = yt[:half] + yt[half:]
    r2 = 1 - F.mse_loss(total * 4 + 9, want.float()).item() / want.float().var().item()
    acc = ((larger > 0) == (yt[:half] > yt[half:])).float().mean().item()
    watch.validated(loss=vloss.item(), metric=r2)
    print(epoch, f"{loss.item():.3f} {vloss.item():.3f} R2 {r2:.4f} larger {acc:.4f} {model.log_var.tolist()}")
done(watch, (r2 + acc) / 2)
