"""Domain-adversarial training: a reversal layer (own autograd function), two heads; score: accuracy on the new domain."""

import torch
import torch.nn.functional as F
from kit import done, dressage, idx
from torch import nn

x, y = idx("mnist", "train", 4000)
xt, yt = idx("mnist", "t10k", 1000)
back, _ = idx("fashion-mnist", "train", 3000)
x, xt, back = (torch.tensor(a.reshape(-1, 784) / 255, dtype=torch.float32) for a in (x, xt, back))
y, yt = torch.tensor(y), torch.tensor(yt)
source, source_y = x[:2000], y[:2000]
target = torch.maximum(x[2000:4000], 0.35 * back[:2000])
test = torch.maximum(xt, 0.35 * back[2000:3000])


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, weight):
        ctx.weight = weight
        return h.view_as(h)

    @staticmethod
    def backward(ctx, grad):
        return -ctx.weight * grad, None


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU())
        self.digit, self.domain = nn.Linear(64, 10), nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x, weight=0.0):
        h = self.body(x)
        return self.digit(h), self.domain(Reverse.apply(h, weight))


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
watch = dressage.watch(net, optimizer)
where = torch.cat([torch.zeros(32, 1), torch.ones(32, 1)])
for step in range(600):
    i, j = torch.randint(2000, (2, 32))
    digits, domain = net(torch.cat([source[i], target[j]]), 0.1 * step / 600)
    loss = F.cross_entropy(digits[:32], source_y[i]) + 0.5 * F.binary_cross_entropy_with_logits(domain, where)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
with torch.no_grad():
    done(watch, (net(test)[0].argmax(1) == yt).float().mean())
