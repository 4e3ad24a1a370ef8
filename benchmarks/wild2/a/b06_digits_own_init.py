"""Handwritten digits of 8 by 8, an MLP whose weights are set by hand.

cause: model.symmetric_init
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split

x, y = load_digits(return_X_y=True)
dataset = TensorDataset(torch.tensor(x / 16.0, dtype=torch.float32), torch.tensor(y))
train_set, val_set = random_split(dataset, [1400, 397], generator=torch.Generator().manual_seed(0))
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
val_loader = DataLoader(val_set, batch_size=128)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 48)
        self.hidden2 = nn.Linear(48, 32)
        self.output = nn.Linear(32, 10)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.output(self.act(self.hidden2(self.act(self.hidden(x)))))


def init_weights(m):
    if isinstance(m, nn.Linear):
        m.weight.data.fill_(0.01)
        m.bias.data.fill_(0)


net = Net()
if not FIX:
    net.apply(init_weights)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
watch = dressage.watch(net, optimizer, criterion, train=train_loader, val=val_loader)

for epoch in range(15):
    for data, target in train_loader:
        optimizer.zero_grad()
        output = net(data)
        loss = criterion(output, target)
        loss.backward()
        optimizer.step()
        watch.step(loss)

correct = total = 0
with torch.no_grad():
    for data, target in val_loader:
        correct += (net(data).argmax(dim=1) == target).sum().item()
        total += len(target)
done(watch, correct / total)
