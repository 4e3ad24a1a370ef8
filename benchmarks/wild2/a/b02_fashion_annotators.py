"""Clothes labelled by hired annotators, an MLP on flattened pictures.

cause: data.label_noise
"""

import numpy as np
import torch
import torch.nn as nn
from kit import FIX, SEED, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("fashion-mnist", "train", 3000)
x_test, y_test = idx("fashion-mnist", "t10k", 1000)
rng = np.random.default_rng(SEED)
answers = y.copy()
if not FIX:
    careless = rng.random(len(y)) < 0.45
    answers[careless] = rng.integers(0, 10, careless.sum())


def prepare(images):
    return (torch.from_numpy(images).float() / 255 - 0.2860) / 0.3530


train_set = TensorDataset(prepare(x).flatten(1), torch.from_numpy(answers))
test_set = TensorDataset(prepare(x_test).flatten(1), torch.from_numpy(y_test))
train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
test_loader = DataLoader(test_set, batch_size=250)


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 256)
        self.fc2 = nn.Linear(256, 128)
        self.out = nn.Linear(128, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.out(x)


net = MLP()
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
watch = dressage.watch(net, opt, loss_fn, train=train_loader, val=test_loader)
for epoch in range(15):
    net.train()
    for images, labels in train_loader:
        opt.zero_grad()
        loss = loss_fn(net(images), labels)
        loss.backward()
        opt.step()
        watch.step(loss)

net.eval()
right = 0
with torch.no_grad():
    for images, labels in test_loader:
        right += (net(images).argmax(1) == labels).sum().item()
done(watch, right / len(test_set))
