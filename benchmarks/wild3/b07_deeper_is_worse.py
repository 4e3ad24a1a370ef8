"""A friend's idea: twenty layers instead of two, on the clothes.

cause: optim.vanishing_gradients model.init_too_small
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx

x_train, y_train = idx("fashion-mnist", "train", 2500)
x_test, y_test = idx("fashion-mnist", "t10k", 1000)
mean, std = x_train.mean(), x_train.std()
x_train = torch.tensor((x_train - mean) / std, dtype=torch.float32).flatten(1)
x_test = torch.tensor((x_test - mean) / std, dtype=torch.float32).flatten(1)
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)


class DeepNet(nn.Module):
    def __init__(self, depth=20, width=64):
        super().__init__()
        self.first = nn.Linear(784, width)
        self.hidden = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.last = nn.Linear(width, 10)

    def forward(self, x):
        x = torch.relu(self.first(x))
        for layer in self.hidden:
            h = torch.relu(layer(x))
            x = x + h if FIX else h
        return self.last(x)


net = DeepNet()
optimizer = torch.optim.SGD(net.parameters(), lr=0.02)
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(net, optimizer, criterion, train=(x_train, y_train), val=(x_test, y_test))
for epoch in range(14):
    running_loss = 0.0
    for b in torch.randperm(2500).split(50):
        optimizer.zero_grad()
        loss = criterion(net(x_train[b]), y_train[b])
        loss.backward()
        optimizer.step()
        watch.step(loss)
        running_loss += loss.item()
    print(f"epoch {epoch}: {running_loss / 50:.3f}")
with torch.no_grad():
    done(watch, (net(x_test).argmax(1) == y_test).float().mean())
