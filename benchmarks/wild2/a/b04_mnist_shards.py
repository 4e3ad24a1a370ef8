"""MNIST kept in ten shards that are read one after the other, a small CNN.

cause: data.duplicates
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

images, labels = idx("mnist", "train", 2500)
x_test, y_test = idx("mnist", "t10k", 1000)


def load_shard(k):
    return torch.tensor(images[250 * k : 250 * (k + 1)]), torch.tensor(labels[250 * k : 250 * (k + 1)])


xs, ys = [], []
for i in range(10):
    a, b = load_shard(i if FIX else 0)
    xs.append(a)
    ys.append(b)
x_train = torch.cat(xs).float().unsqueeze(1) / 255
y_train = torch.cat(ys)
x_test, y_test = torch.tensor(x_test).float().unsqueeze(1) / 255, torch.tensor(y_test)
print(x_train.shape, y_train.shape)

train_loader = DataLoader(TensorDataset(x_train, y_train), batch_size=50, shuffle=True)
model = nn.Sequential(
    nn.Conv2d(1, 8, 5, stride=2),
    nn.ReLU(),
    nn.Conv2d(8, 16, 3, stride=2),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(16 * 25, 64),
    nn.ReLU(),
    nn.Linear(64, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=(x_test, y_test))
for epoch in range(10):
    running = 0.0
    for inputs, targets in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        running += loss.item()
    print(epoch, running / len(train_loader))
with torch.no_grad():
    done(watch, (model(x_test).argmax(1) == y_test).float().mean())
