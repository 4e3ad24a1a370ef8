"""A deep fully connected net for Fashion-MNIST.

cause: optim.vanishing_gradients
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx

x, y = idx("fashion-mnist", "train", 5000)
xv, yv = idx("fashion-mnist", "t10k", 1500)
x = torch.from_numpy(x).float().flatten(1) / 127.5 - 1
xv = torch.from_numpy(xv).float().flatten(1) / 127.5 - 1
train = DataLoader(TensorDataset(x, torch.from_numpy(y)), batch_size=50, shuffle=True)
xv, yv = xv, torch.from_numpy(yv)


class DeepNet(nn.Module):
    def __init__(self, depth=7, width=128):
        super().__init__()
        sizes = [784] + [width] * depth
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.out = nn.Linear(width, 10)
        self.act = nn.ReLU() if FIX else nn.Sigmoid()

    def forward(self, x):
        for layer in self.hidden:
            x = self.act(layer(x))
        return self.out(x)


model = DeepNet()
if FIX:
    for layer in model.hidden:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
watch = dressage.watch(
    model,
    optimizer,
    F.cross_entropy,
    train=train,
    val=(xv, yv),
    metric=lambda o, t: (o.argmax(1) == t).float().mean().item(),
)

for epoch in range(8):
    model.train()
    for xb, yb in train:
        loss = F.cross_entropy(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(xv)
        acc = (out.argmax(1) == yv).float().mean().item()
        watch.validated(loss=F.cross_entropy(out, yv).item(), metric=acc)

done(watch, acc)
