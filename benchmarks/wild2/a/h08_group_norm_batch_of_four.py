"""MNIST in batches of four, a CNN with group norm."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("mnist", "train", 2400)
xt, yt = idx("mnist", "t10k", 1000)
train_set = TensorDataset(torch.tensor(x)[:, None].float() / 255, torch.tensor(y))
test_set = TensorDataset(torch.tensor(xt)[:, None].float() / 255, torch.tensor(yt))
loader = DataLoader(train_set, batch_size=4, shuffle=True)


class SmallNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.n1 = nn.Conv2d(1, 8, 5, stride=2), nn.GroupNorm(2, 8)
        self.c2, self.n2 = nn.Conv2d(8, 16, 3, stride=2), nn.GroupNorm(4, 16)
        self.fc = nn.Linear(16 * 25, 10)

    def forward(self, x):
        x = F.relu(self.n1(self.c1(x)))
        x = F.relu(self.n2(self.c2(x)))
        return self.fc(x.flatten(1))


net = SmallNet()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
watch = dressage.watch(net, optimizer, nn.CrossEntropyLoss(), train=loader, val=test_set)
for epoch in range(3):
    for images, labels in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    a, b = test_set.tensors
    done(watch, (net(a).argmax(1) == b).float().mean())
