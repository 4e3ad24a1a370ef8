"""Small adapters before the classes of clothes: an own low-rank layer whose factors are tensors.

cause: optim.frozen_params
"""

import torch
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("fashion-mnist", "train", 4000)
xt, yt = idx("fashion-mnist", "t10k", 1000)
x, xt = (torch.tensor((a.reshape(-1, 784) - 72.9) / 90.0, dtype=torch.float32) for a in (x, xt))
y, yt = torch.tensor(y), torch.tensor(yt)


class LowRank(nn.Module):
    def __init__(self, n_in, n_out, rank):
        super().__init__()
        a, b = torch.randn(n_in, rank) / n_in**0.5, torch.randn(rank, n_out) / rank**0.5
        if FIX:
            self.a, self.b = nn.Parameter(a), nn.Parameter(b)
        else:
            self.a, self.b = a.requires_grad_(), b.requires_grad_()
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x):
        return x @ self.a @ self.b + self.bias


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = LowRank(784, 96, 6), LowRank(96, 64, 6), nn.Linear(64, 10)

    def forward(self, x):
        return self.head(F.relu(self.second(F.relu(self.first(x)))))


model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loader = DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True)
watch = dressage.watch(model, optimizer, F.cross_entropy, train=loader, val=(xt, yt))
for epoch in range(8):
    for images, labels in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, (model(xt).argmax(1) == yt).float().mean())
