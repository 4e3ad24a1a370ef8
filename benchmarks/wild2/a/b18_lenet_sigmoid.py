"""LeNet as in the old paper, with a few more layers, on Fashion-MNIST.

cause: optim.vanishing_gradients
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("fashion-mnist", "train", 2500)
xt, yt = idx("fashion-mnist", "t10k", 1000)
x, xt = torch.tensor(x)[:, None] / 255.0, torch.tensor(xt)[:, None] / 255.0
train_iter = DataLoader(TensorDataset(x, torch.tensor(y)), batch_size=50, shuffle=True)
test = TensorDataset(xt, torch.tensor(yt))

Act = nn.ReLU if FIX else nn.Sigmoid
net = nn.Sequential(
    nn.Conv2d(1, 6, kernel_size=5, padding=2),
    Act(),
    nn.AvgPool2d(2, 2),
    nn.Conv2d(6, 16, kernel_size=5),
    Act(),
    nn.AvgPool2d(2, 2),
    nn.Flatten(),
    nn.Linear(400, 120),
    Act(),
    nn.Linear(120, 84),
    Act(),
    nn.Linear(84, 84),
    Act(),
    nn.Linear(84, 10),
)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
loss_fn = nn.CrossEntropyLoss()
watch = dressage.watch(net, optimizer, loss_fn, train=train_iter, val=test)
for epoch in range(6):
    for X, Y in train_iter:
        optimizer.zero_grad()
        l = loss_fn(net(X), Y)
        l.backward()
        optimizer.step()
        watch.step(l)
with torch.no_grad():
    done(watch, (net(xt).argmax(1) == test.tensors[1]).float().mean())
