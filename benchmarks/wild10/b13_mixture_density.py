"""A mixture density network for an inverse problem where one x has several answers.

cause: model.symmetric_init
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

g = torch.Generator().manual_seed(90 + SEED)


def sample(n):
    t = torch.rand(n, 1, generator=g)
    x = t + 0.3 * torch.sin(2 * math.pi * t) + 0.04 * torch.randn(n, 1, generator=g)
    return (x - 0.5) * 3, (t - 0.5) * 3


class MDN(nn.Module):
    def __init__(self, components=5, hidden=48):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(1, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh())
        self.weights = nn.Linear(hidden, components)
        self.means = nn.Linear(hidden, components)
        self.scales = nn.Linear(hidden, components)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                if FIX:
                    nn.init.xavier_uniform_(layer.weight)
                else:
                    nn.init.constant_(layer.weight, 0.05)
                nn.init.zeros_(layer.bias)

    def forward(self, x):
        h = self.trunk(x)
        return torch.stack([self.weights(h).log_softmax(1), self.means(h), self.scales(h).clamp(-4, 2)], 2)


def nll(output, target):
    logw, mean, logs = output.unbind(2)
    logp = -0.5 * ((target - mean) / logs.exp()) ** 2 - logs - 0.5 * math.log(2 * math.pi)
    return -(logw + logp).logsumexp(1).mean()


train_data, val_data = TensorDataset(*sample(3000)), TensorDataset(*sample(1000))
train_loader, val_loader = DataLoader(train_data, 64, shuffle=True), DataLoader(val_data, 500)
model = MDN()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
EPOCHS = 25
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS, 2e-4)
watch = dressage.watch(model, optimizer, nll, train=train_loader, val=val_loader)

for epoch in range(EPOCHS):
    model.train()
    for x, t in train_loader:
        optimizer.zero_grad()
        loss = nll(model(x), t)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    schedule.step()
    model.eval()
    with torch.no_grad():
        val = sum(nll(model(x), t).item() for x, t in val_loader) / len(val_loader)
    print(epoch, round(val, 3))
    watch.validated(loss=val)

done(watch, -val)
