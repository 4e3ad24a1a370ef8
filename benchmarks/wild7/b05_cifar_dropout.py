"""CIFAR-10, a few thousand images, a small CNN with a lot of dropout against overfitting.

cause: eval.train_mode_at_eval
"""

import torch
import torch.nn as nn
from kit import FIX, cifar, done, dressage
from torch.utils.data import DataLoader, TensorDataset

x_train, y_train, x_test, y_test = cifar(4000, 1000)
mean = torch.tensor([0.4914, 0.4822, 0.4465]).view(1, 3, 1, 1)
std = torch.tensor([0.2470, 0.2435, 0.2616]).view(1, 3, 1, 1)


def prepare(x):
    x = torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255
    return nn.functional.avg_pool2d((x - mean) / std, 2)


train_dl = DataLoader(TensorDataset(prepare(x_train), torch.from_numpy(y_train)), batch_size=50, shuffle=True)
test_dl = DataLoader(TensorDataset(prepare(x_test), torch.from_numpy(y_test)), batch_size=200)


def block(i, o, p):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(p))


model = nn.Sequential(
    block(3, 32, 0.2),
    block(32, 64, 0.3),
    nn.Flatten(),
    nn.Linear(64 * 16, 128),
    nn.ReLU(),
    nn.Dropout(0.5),
    nn.Linear(128, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)


def evaluate(model, loader):
    if FIX:
        model.eval()
    loss = correct = n = 0
    with torch.no_grad():
        for x, y in loader:
            out = model(x)
            loss += criterion(out, y).item() * len(y)
            correct += (out.argmax(1) == y).sum().item()
            n += len(y)
    return loss / n, correct / n


watch = dressage.watch(model, optimizer, criterion, train=train_dl, val=test_dl)
for epoch in range(1, 10):
    model.train()
    for x, y in train_dl:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    test_loss, test_acc = evaluate(model, test_dl)
    watch.validated(loss=test_loss, metric=test_acc)
    print("epoch %d  test loss %.3f  test acc %.3f" % (epoch, test_loss, test_acc))

done(watch, evaluate(model, test_dl)[1])
