"""MNIST with hidden units that should be nearly on or off.

cause: model.saturated_activation
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, idx

x_train, y_train = idx("mnist", "train", 4000)
x_test, y_test = idx("mnist", "t10k", 1000)
mu, sigma = 0.1307, 0.3081
x_train = (torch.tensor(x_train).float().view(-1, 784) / 255 - mu) / sigma
x_test = (torch.tensor(x_test).float().view(-1, 784) / 255 - mu) / sigma
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)


class OnOff(nn.Module):
    def __init__(self, steepness):
        super().__init__()
        self.steepness = steepness
        self.l1 = nn.Linear(784, 64)
        self.a1 = nn.Sigmoid()
        self.l2 = nn.Linear(64, 32)
        self.a2 = nn.Sigmoid()
        self.l3 = nn.Linear(32, 10)

    def forward(self, x):
        h = self.a1(self.steepness * self.l1(x))
        h = self.a2(self.steepness * self.l2(h))
        return self.l3(h)


model = OnOff(steepness=1 if FIX else 100)
optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
watch = dressage.watch(model, optimizer, nn.CrossEntropyLoss(), train=(x_train, y_train), val=(x_test, y_test))
for epoch in range(8):
    for rows in torch.randperm(4000).split(50):
        loss = F.cross_entropy(model(x_train[rows]), y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, (model(x_test).argmax(1) == y_test).float().mean())
