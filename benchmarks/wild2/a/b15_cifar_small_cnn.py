"""A part of CIFAR-10, the CNN of the tutorial with Adam.

cause: optim.lr_too_high
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, cifar, done, dressage
from torch.utils.data import DataLoader, TensorDataset

x, y, xt, yt = cifar(4000, 1000)
prep = lambda a: torch.tensor(a).permute(0, 3, 1, 2).float() / 127.5 - 1
trainloader = DataLoader(TensorDataset(prep(x), torch.tensor(y)), batch_size=50, shuffle=True)
testloader = DataLoader(TensorDataset(prep(xt), torch.tensor(yt)), batch_size=200)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = self.pool(F.leaky_relu(self.conv1(x)))
        x = self.pool(F.leaky_relu(self.conv2(x)))
        x = x.view(-1, 16 * 5 * 5)
        x = F.leaky_relu(self.fc1(x))
        x = F.leaky_relu(self.fc2(x))
        return self.fc3(x)


net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.001 if FIX else 0.03)
watch = dressage.watch(net, optimizer, criterion, train=trainloader)
for epoch in range(6):
    running_loss = 0.0
    for i, data in enumerate(trainloader, 0):
        inputs, labels = data
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        running_loss += loss.item()
    print(f"[{epoch + 1}] loss: {running_loss / len(trainloader):.3f}")
with torch.no_grad():
    correct = sum((net(a).argmax(1) == b).sum().item() for a, b in testloader)
done(watch, correct / 1000)
