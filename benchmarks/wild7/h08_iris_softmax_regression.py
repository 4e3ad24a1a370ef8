"""Homework 1: softmax regression on the iris flowers, full-batch gradient descent."""

import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

from kit import done, dressage

iris = load_iris()
X_train, X_test, y_train, y_test = train_test_split(
    iris.data, iris.target, test_size=0.4, random_state=1, stratify=iris.target
)
mean, std = X_train.mean(0), X_train.std(0)
X_train = torch.tensor((X_train - mean) / std).float()
X_test = torch.tensor((X_test - mean) / std).float()
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)


class SoftmaxRegression(torch.nn.Module):
    def __init__(self, n_features, n_classes):
        super().__init__()
        self.linear = torch.nn.Linear(n_features, n_classes)

    def forward(self, x):
        return self.linear(x)


model = SoftmaxRegression(4, 3)
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
watch = dressage.watch(model, optimizer, criterion, train=(X_train, y_train), val=(X_test, y_test))

losses = []
for it in range(2000):
    optimizer.zero_grad()
    loss = criterion(model(X_train), y_train)
    loss.backward()
    optimizer.step()
    watch.step(loss)
    losses.append(loss.item())
    if (it + 1) % 100 == 0:
        with torch.no_grad():
            out = model(X_test)
            watch.validated(loss=criterion(out, y_test).item(), metric=(out.argmax(1) == y_test).float().mean().item())
    if (it + 1) % 500 == 0:
        print(it + 1, losses[-1])

accuracy = (model(X_test).argmax(1) == y_test).float().mean().item()
done(watch, accuracy)
