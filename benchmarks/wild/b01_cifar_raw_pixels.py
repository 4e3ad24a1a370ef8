"""CIFAR CNN with a Dataset of one's own that forgets to bring pixels to [0, 1].

cause: data.unscaled_inputs data.all_positive_inputs
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from kit import FIX, cifar, done, dressage
from torch.utils.data import DataLoader, Dataset


class CifarDataset(Dataset):
    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        img = self.images[i].transpose(2, 0, 1)
        img = torch.from_numpy(img.astype(np.float32))
        if FIX:
            img = (img / 255.0 - 0.47) / 0.25
        return img, int(self.labels[i])


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
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


xtr, ytr, xte, yte = cifar()
trainloader = DataLoader(CifarDataset(xtr, ytr), batch_size=32, shuffle=True)
testloader = DataLoader(CifarDataset(xte, yte), batch_size=100)
net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
watch = dressage.watch(net, optimizer, criterion, train=trainloader, val=testloader)
for epoch in range(6):
    running = 0.0
    for i, data in enumerate(trainloader, 0):
        inputs, labels = data
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        running += loss.item()
    print(epoch, running / len(trainloader))
correct = total = 0
with torch.no_grad():
    for images, labels in testloader:
        predicted = net(images).argmax(1)
        total += labels.size(0)
        correct += (predicted == labels).sum().item()
done(watch, correct / total)
