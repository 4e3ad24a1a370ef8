"""Classify Fashion-MNIST images with a small convolutional network, as in the beginners' tutorial."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage, idx

x_train, y_train = idx("fashion-mnist", "train", 8000)
x_test, y_test = idx("fashion-mnist", "t10k", 2000)


def to_tensor(x):
    return (torch.from_numpy(x).float().unsqueeze(1) / 255.0 - 0.286) / 0.353


train_loader = DataLoader(TensorDataset(to_tensor(x_train), torch.from_numpy(y_train)), batch_size=64, shuffle=True)
test_loader = DataLoader(TensorDataset(to_tensor(x_test), torch.from_numpy(y_test)), batch_size=500)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.25)
        self.fc1 = nn.Linear(32 * 7 * 7, 96)
        self.fc2 = nn.Linear(96, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        x = self.drop(x.flatten(1))
        return self.fc2(self.drop(torch.relu(self.fc1(x))))


net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=1.5e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5 * len(train_loader))
accuracy = lambda out, y: (out.argmax(1) == y).float().mean().item()
watch = dressage.watch(net, optimizer, criterion, train=train_loader, val=test_loader, metric=accuracy)


def test():
    net.eval()
    loss = correct = 0
    with torch.no_grad():
        for x, y in test_loader:
            out = net(x)
            loss += criterion(out, y).item() * len(y)
            correct += (out.argmax(1) == y).sum().item()
    n = len(test_loader.dataset)
    return loss / n, correct / n


for epoch in range(5):
    net.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        watch.step(loss)
    test_loss, test_acc = test()
    watch.validated(loss=test_loss, metric=test_acc)
    print(f"epoch {epoch + 1}: loss {loss.item():.3f}  test loss {test_loss:.3f}  test accuracy {test_acc:.3f}")

done(watch, test_acc)
