"""Somebody's first own training loop: MNIST, a CNN, SGD.

cause: optim.no_zero_grad
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

X, Y = idx("mnist", "train", 3000)
X_test, Y_test = idx("mnist", "t10k", 1000)
X, X_test = [torch.tensor(a, dtype=torch.float32).reshape(-1, 1, 28, 28) / 255 for a in (X, X_test)]
Y, Y_test = torch.tensor(Y), torch.tensor(Y_test)
dataloader = DataLoader(TensorDataset(X, Y), batch_size=64, shuffle=True)


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3)
        self.conv2 = nn.Conv2d(8, 16, 3)
        self.fc = nn.Linear(16 * 5 * 5, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(x.flatten(1))


cnn = CNN()
loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(cnn.parameters(), lr=0.1)
watch = dressage.watch(cnn, optimizer, loss_function, train=dataloader, val=(X_test, Y_test))
for epoch in range(5):
    for batch, (x, y) in enumerate(dataloader):
        if FIX:
            optimizer.zero_grad()
        prediction = cnn(x)
        loss = loss_function(prediction, y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        if batch % 20 == 0:
            print(epoch, batch, loss.item())
with torch.no_grad():
    done(watch, (cnn(X_test).argmax(1) == Y_test).float().mean())
