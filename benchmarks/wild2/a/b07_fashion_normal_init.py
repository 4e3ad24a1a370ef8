"""Fashion-MNIST, a four-layer perceptron with normal weights, plain SGD.

cause: model.init_too_small
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("fashion-mnist", "train", 4000)
xt, yt = idx("fashion-mnist", "t10k", 1000)
train_iter = DataLoader(TensorDataset(torch.tensor(x) / 255.0, torch.tensor(y)), batch_size=64, shuffle=True)
test_iter = DataLoader(TensorDataset(torch.tensor(xt) / 255.0, torch.tensor(yt)), batch_size=500)

net = nn.Sequential(
    nn.Flatten(),
    nn.Linear(784, 128),
    nn.ReLU(),
    nn.Linear(128, 128),
    nn.ReLU(),
    nn.Linear(128, 64),
    nn.ReLU(),
    nn.Linear(64, 10),
)


def init(m):
    if type(m) is nn.Linear:
        if FIX:
            nn.init.kaiming_normal_(m.weight)
        else:
            nn.init.normal_(m.weight, std=0.001)
        nn.init.zeros_(m.bias)


net.apply(init)
loss_fn = nn.CrossEntropyLoss()
trainer = torch.optim.SGD(net.parameters(), lr=0.1)
watch = dressage.watch(net, trainer, loss_fn, train=train_iter, val=test_iter)
for epoch in range(8):
    for X, Y in train_iter:
        l = loss_fn(net(X), Y)
        trainer.zero_grad()
        l.backward()
        trainer.step()
        watch.step(l)
with torch.no_grad():
    acc = sum((net(X).argmax(1) == Y).sum().item() for X, Y in test_iter) / 1000
done(watch, acc)
