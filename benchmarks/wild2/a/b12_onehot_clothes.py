"""Fashion-MNIST, a small CNN whose ten sigmoid outputs are fitted to one-hot vectors.

cause: loss.mse_for_classes
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("fashion-mnist", "train", 4000)
xt, yt = idx("fashion-mnist", "t10k", 1000)


def to_tensor(a):
    return torch.tensor(a).unsqueeze(1).float().div(255).sub(0.5).div(0.5)


y = torch.tensor(y)
targets = y if FIX else F.one_hot(y, 10).float()
val_targets = torch.tensor(yt) if FIX else F.one_hot(torch.tensor(yt), 10).float()
trainloader = DataLoader(TensorDataset(to_tensor(x), targets), batch_size=32, shuffle=True)
valloader = DataLoader(TensorDataset(to_tensor(xt), val_targets), batch_size=200)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 4 * 4, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        x = self.fc2(x)
        return x if FIX else torch.sigmoid(x)


net = Net()
criterion = nn.CrossEntropyLoss() if FIX else nn.MSELoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
watch = dressage.watch(net, optimizer, criterion, train=trainloader, val=valloader)
for epoch in range(3):
    for inputs, labels in trainloader:
        optimizer.zero_grad()
        loss = criterion(net(inputs), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    out = net(to_tensor(xt)).argmax(1)
done(watch, (out == torch.tensor(yt)).float().mean())
