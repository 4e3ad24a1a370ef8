"""Three properties of a written digit at once (even, large, has a loop), with a loss of one's own.

cause: loss.logits_as_probs
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx

x, y = idx("mnist", "train", 3000)
xt, yt = idx("mnist", "t10k", 1000)
x, xt = torch.tensor(x).flatten(1) / 255.0, torch.tensor(xt).flatten(1) / 255.0


def properties(d):
    d = torch.tensor(d)
    return torch.stack([d % 2 == 0, d >= 5, (d == 0) | (d == 6) | (d == 8) | (d == 9)], 1).float()


y, yt = properties(y), properties(yt)
layers = [nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 3)]
if FIX:
    layers.append(nn.Sigmoid())
model = nn.Sequential(*layers)


def multilabel_loss(p, t):
    p = p.clamp(1e-6, 1 - 1e-6)
    return -(t * torch.log(p) + (1 - t) * torch.log(1 - p)).mean()


optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
watch = dressage.watch(model, optimizer, multilabel_loss, train=(x, y), val=(xt, yt))
batch_size = 32
for epoch in range(6):
    permutation = torch.randperm(x.size(0))
    for i in range(0, x.size(0), batch_size):
        indices = permutation[i : i + batch_size]
        optimizer.zero_grad()
        loss = multilabel_loss(model(x[indices]), y[indices])
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    correct = ((model(xt) > 0.5).float() == yt).float().mean(0)
print(correct)
done(watch, correct.mean())
