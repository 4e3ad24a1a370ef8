"""Read MNIST digits through a network that first squeezes each image into a short code.

cause: model.bottleneck
"""

import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--batch-size", type=int, default=60)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--code", type=int, default=32 if FIX else 2)
args = parser.parse_args([])


def get_split(part, n):
    x, y = idx("mnist", part, n)
    x = (torch.from_numpy(x).float() / 255 - 0.1307) / 0.3081
    return TensorDataset(x.flatten(1), torch.from_numpy(y))


class CodeNet(nn.Module):
    def __init__(self, code):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, code), nn.Tanh())
        self.classifier = nn.Sequential(nn.Linear(code, 48), nn.ReLU(), nn.Linear(48, 10))

    def forward(self, x):
        return self.classifier(self.encoder(x))


def accuracy(logits, y):
    return float((logits.argmax(-1) == y).float().mean())


def run_epoch(model, loader, loss_fn, optimizer=None, watch=None):
    model.train(optimizer is not None)
    loss_sum = acc_sum = count = 0
    with torch.set_grad_enabled(optimizer is not None):
        for x, y in loader:
            out = model(x)
            loss = loss_fn(out, y)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss)
            loss_sum += loss.item() * len(y)
            acc_sum += accuracy(out, y) * len(y)
            count += len(y)
    return loss_sum / count, acc_sum / count


def main():
    train = DataLoader(get_split("train", 8000), args.batch_size, shuffle=True)
    val = DataLoader(get_split("t10k", 2000), 500)
    model = CodeNet(args.code)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, weight_decay=1e-5)
    watch = dressage.watch(model, optimizer, loss_fn, train=train, val=val, metric=accuracy)
    for _ in range(args.epochs):
        run_epoch(model, train, loss_fn, optimizer, watch)
        val_loss, val_acc = run_epoch(model, val, loss_fn)
        watch.validated(loss=val_loss, metric=val_acc)
    done(watch, val_acc)


if __name__ == "__main__":
    main()
