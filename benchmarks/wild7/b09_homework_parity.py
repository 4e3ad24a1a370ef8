"""Homework 3: tell odd from even handwritten digits with a multi-layer perceptron.

cause: model.missing_nonlinearity
"""

import torch
from kit import FIX, done, dressage, idx


class MLP(torch.nn.Module):
    """Three hidden layers, as asked in part (b)."""

    def __init__(self, n_in=784, n_hidden=100, n_out=2):
        super().__init__()
        self.layer1 = torch.nn.Linear(n_in, n_hidden)
        self.layer2 = torch.nn.Linear(n_hidden, n_hidden)
        self.layer3 = torch.nn.Linear(n_hidden, n_hidden)
        self.output = torch.nn.Linear(n_hidden, n_out)

    def forward(self, x):
        if FIX:
            h = torch.relu(self.layer1(x))
            h = torch.relu(self.layer2(h))
            h = torch.relu(self.layer3(h))
        else:
            h = self.layer1(x)
            h = self.layer2(h)
            h = self.layer3(h)
        return self.output(h)


def load(part, n):
    x, y = idx("mnist", part, n)
    x = torch.tensor(x).float().reshape(-1, 784) / 255
    return x - 0.13, torch.tensor(y % 2)


def main():
    x_train, y_train = load("train", 6000)
    x_val, y_val = load("t10k", 2000)
    model = MLP()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loss_fn = torch.nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x_train, y_train), val=(x_val, y_val))
    for epoch in range(8):
        model.train()
        order = torch.randperm(len(x_train))
        for batch in order.split(100):
            optimizer.zero_grad()
            loss = loss_fn(model(x_train[batch]), y_train[batch])
            loss.backward()
            optimizer.step()
            watch.step(loss)
        model.eval()
        with torch.no_grad():
            logits = model(x_val)
            val_loss = loss_fn(logits, y_val).item()
            val_acc = (logits.argmax(1) == y_val).float().mean().item()
        watch.validated(loss=val_loss, metric=val_acc)
        print(f"Epoch {epoch + 1}: val loss {val_loss:.4f}, val accuracy {val_acc:.4f}")
    done(watch, val_acc)


main()
