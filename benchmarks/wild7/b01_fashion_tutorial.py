"""Fashion-MNIST with a small convolutional network, following a beginner's tutorial.

cause: optim.no_zero_grad
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

x_train, y_train = idx("fashion-mnist", "train", 5000)
x_test, y_test = idx("fashion-mnist", "t10k", 1000)


def to_dataset(x, y):
    x = (torch.from_numpy(x).float().unsqueeze(1) / 255 - 0.2860) / 0.3530
    return TensorDataset(x, torch.from_numpy(y))


train_loader = DataLoader(to_dataset(x_train, y_train), batch_size=64, shuffle=True)
test_loader = DataLoader(to_dataset(x_test, y_test), batch_size=250)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(8, 16, 5)
        self.fc1 = nn.Linear(16 * 4 * 4, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
watch = dressage.watch(net, optimizer, criterion, train=train_loader, val=test_loader)

for epoch in range(10):
    net.train()
    for inputs, labels in train_loader:
        if FIX:
            optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)

    net.eval()
    correct = total = 0
    val_loss = 0.0
    with torch.no_grad():
        for inputs, labels in test_loader:
            outputs = net(inputs)
            val_loss += criterion(outputs, labels).item() * len(labels)
            correct += (outputs.argmax(1) == labels).sum().item()
            total += len(labels)
    print(f"epoch {epoch + 1}: loss {val_loss / total:.3f}  accuracy {correct / total:.3f}")
    watch.validated(loss=val_loss / total, metric=correct / total)

done(watch, correct / total)
