"""A convolutional network for clothes, carried over from a TensorFlow 1 notebook with its keep_prob.

cause: optim.over_regularised
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

learning_rate, batch_size, training_epochs = 1e-3, 50, 6
keep_prob = 0.9


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 12, 3, stride=2), nn.Conv2d(12, 24, 3, stride=2)
        self.fc1, self.fc2 = nn.Linear(24 * 36, 96), nn.Linear(96, 10)
        self.drop = nn.Dropout(1 - keep_prob if FIX else keep_prob)

    def forward(self, x):
        x = self.drop(F.relu(self.conv1(x)))
        x = self.drop(F.relu(self.conv2(x)))
        x = self.drop(F.relu(self.fc1(x.flatten(1))))
        return self.fc2(x)


def load(part, n):
    x, y = idx("fashion-mnist", part, n)
    return TensorDataset(torch.tensor(x).float().unsqueeze(1) / 255, torch.tensor(y))


train_set, test_set = load("train", 3000), load("t10k", 1000)
model = Model()
cost = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
data_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True, drop_last=True)
watch = dressage.watch(model, optimizer, cost, train=data_loader, val=test_set)
for epoch in range(training_epochs):
    avg_cost = 0
    model.train()
    for X, Y in data_loader:
        optimizer.zero_grad()
        hypothesis = model(X)
        loss = cost(hypothesis, Y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        avg_cost += loss.item() / len(data_loader)
    print("Epoch:", epoch + 1, "cost =", avg_cost)
model.eval()
with torch.no_grad():
    X, Y = test_set.tensors
    done(watch, (model(X).argmax(1) == Y).float().mean())
