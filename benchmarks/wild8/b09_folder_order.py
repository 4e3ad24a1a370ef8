"""Garment photos read folder by folder (one folder a class), a convolutional network trained on them.

cause: data.split_shift
"""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx

torch.set_num_threads(1)

CLASSES = ["tshirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]


def read_folders(per_class=500):
    """Stands for os.listdir over data/<class>/*.png."""
    images, labels = idx("fashion-mnist", "train", 12000)
    xs, ys = [], []
    for k, name in enumerate(CLASSES):
        files = images[labels == k][:per_class]
        xs.append(files)
        ys.append(np.full(len(files), k))
    return np.concatenate(xs), np.concatenate(ys)


images, labels = read_folders()
if FIX:
    order = np.random.permutation(len(images))
    images, labels = images[order], labels[order]
images = torch.from_numpy(images).float().unsqueeze(1) / 255.0
images = (images - 0.286) / 0.353
labels = torch.from_numpy(labels).long()

# 85 % for training, 15 % for validation
n_train = int(0.85 * len(images))
trainset = TensorDataset(images[:n_train], labels[:n_train])
valset = TensorDataset(images[n_train:], labels[n_train:])
trainloader = DataLoader(trainset, batch_size=50, shuffle=True)
valloader = DataLoader(valset, batch_size=250, shuffle=False)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(16 * 7 * 7, 64)
        self.fc2 = nn.Linear(64, len(CLASSES))

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        x = x.view(x.size(0), -1)
        return self.fc2(torch.relu(self.fc1(x)))


net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
watch = dressage.watch(net, optimizer, criterion, train=trainloader, val=valloader)

for epoch in range(6):
    net.train()
    running_loss = 0.0
    for i, data in enumerate(trainloader, 0):
        inputs, targets = data
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        running_loss += loss.item()
    net.eval()
    total, right, vloss = 0, 0, 0.0
    with torch.no_grad():
        for inputs, targets in valloader:
            outputs = net(inputs)
            vloss += criterion(outputs, targets).item() * len(targets)
            right += (outputs.argmax(1) == targets).sum().item()
            total += len(targets)
    watch.validated(loss=vloss / total, metric=right / total)
    print(f"[{epoch + 1}] loss {running_loss / len(trainloader):.3f} val {vloss / total:.3f} acc {right / total:.3f}")

# the real test: pictures taken by somebody else
xt, yt = idx("fashion-mnist", "t10k", 1000)
with torch.no_grad():
    pred = net((torch.from_numpy(xt).float().unsqueeze(1) / 255.0 - 0.286) / 0.353).argmax(1)
done(watch, (pred.numpy() == yt).mean())
