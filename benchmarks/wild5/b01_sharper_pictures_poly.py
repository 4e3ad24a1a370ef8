"""Super-resolution of clothes, 14 to 28 pixels, with the polynomial rate of a segmentation repository.

cause: optim.schedule_collapsed
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

BASE_LR, POWER, EPOCHS, BATCH = 0.05, 0.9, 8, 32
x, _ = idx("fashion-mnist", "train", 2000)
t, _ = idx("fashion-mnist", "t10k", 500)
hr, hr_test = (torch.tensor(a).float().unsqueeze(1) / 255 for a in (x, t))
lr_img, lr_test = F.avg_pool2d(hr, 2), F.avg_pool2d(hr_test, 2)
loader = DataLoader(TensorDataset(lr_img, hr), batch_size=BATCH, shuffle=True)
NUM_STEPS = EPOCHS * len(loader) if FIX else 50


class ESPCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2),
            nn.Tanh(),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.Tanh(),
            nn.Conv2d(16, 4, 3, padding=1),
        )
        self.up = nn.PixelShuffle(2)

    def forward(self, x):
        return self.up(self.body(x))


def adjust_learning_rate(optimizer, i_iter):
    lr = BASE_LR * max(1 - i_iter / NUM_STEPS, 0) ** POWER
    for group in optimizer.param_groups:
        group["lr"] = lr


net = ESPCN()
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(net.parameters(), lr=BASE_LR, momentum=0.9, weight_decay=1e-4)
watch = dressage.watch(net, optimizer, criterion, train=loader, val=(lr_test, hr_test))
i_iter = 0
for epoch in range(EPOCHS):
    for small, big in loader:
        adjust_learning_rate(optimizer, i_iter)
        optimizer.zero_grad()
        loss = criterion(net(small), big)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        i_iter += 1
with torch.no_grad():
    mse = F.mse_loss(net(lr_test), hr_test)
done(watch, 1 - mse / hr_test.var())
