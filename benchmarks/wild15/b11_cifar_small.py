"""A small convolutional network for the ten CIFAR classes, with dropout against overfitting.

cause: eval.train_mode_at_eval
"""

import torch
import torch.nn as nn
import torch.optim as optim

from kit import FIX, cifar, done, dressage

xa, ya, xb, yb = cifar(4000, 1000)
prep = lambda a: (
    (torch.from_numpy(a).permute(0, 3, 1, 2).float() / 255 - torch.tensor([0.491, 0.482, 0.447]).view(3, 1, 1))
    / torch.tensor([0.247, 0.243, 0.262]).view(3, 1, 1)
)
trainset = torch.utils.data.TensorDataset(prep(xa), torch.from_numpy(ya))
testset = torch.utils.data.TensorDataset(prep(xb), torch.from_numpy(yb))
trainloader = torch.utils.data.DataLoader(trainset, batch_size=32, shuffle=True)
testloader = torch.utils.data.DataLoader(testset, batch_size=100)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout2d(0.2),
        )
        self.fc = nn.Sequential(
            nn.Flatten(), nn.Linear(32 * 8 * 8, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)
        )

    def forward(self, x):
        return self.fc(self.conv(x))


def accuracy(outputs, labels):
    return (outputs.argmax(1) == labels).sum().item() / len(labels)


net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(net.parameters(), lr=8e-4)
watch = dressage.watch(net, optimizer, criterion, train=trainloader, val=testloader, metric=accuracy)

for epoch in range(11):
    if FIX:
        net.train()
    for inputs, labels in trainloader:
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)

    if FIX:
        net.eval()
    test_loss, test_acc, batches = 0.0, 0.0, 0
    with torch.no_grad():
        for inputs, labels in testloader:
            outputs = net(inputs)
            test_loss += criterion(outputs, labels).item()
            test_acc += accuracy(outputs, labels)
            batches += 1
    watch.validated(loss=test_loss / batches, metric=test_acc / batches)

done(watch, test_acc / batches)
