"""A Trainer class with batch norm, one cycle of the rate, and pictures that are shifted, noisy, and partly blotted out."""

import torch
from kit import done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def shake(x):
    dx, dy = torch.randint(-3, 4, (2,)).tolist()
    x = torch.roll(x, (dx, dy), (2, 3)) + 0.3 * torch.randn_like(x)
    i, j = torch.randint(0, 18, (2,)).tolist()
    x[:, :, i : i + 10, j : j + 10] = 0
    return x


class Trainer:
    def __init__(self, model, train, val, epochs):
        self.model, self.epochs = model, epochs
        self.loader, self.val = DataLoader(train, batch_size=32, shuffle=True), val
        self.criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, max_lr=0.15, total_steps=epochs * len(self.loader)
        )

    def fit(self):
        with dressage.watch(self.model, self.optimizer, self.criterion, train=self.loader, val=self.val) as watch:
            for _ in range(self.epochs):
                self.model.train()
                for x, y in watch.batches(self.loader):
                    self.optimizer.zero_grad(set_to_none=True)
                    loss = self.criterion(self.model(shake(x)), y)
                    loss.backward()
                    self.optimizer.step()
                    watch.step(loss)
                    self.scheduler.step()
                self.model.eval()
                watch.validating()
                with torch.no_grad():
                    x, y = self.val.tensors
                    out = self.model(x)
                accuracy = (out.argmax(1) == y).float().mean().item()
                watch.validated(loss=self.criterion(out, y), metric=accuracy)
        return watch, accuracy


def conv(i, o):
    return [nn.Conv2d(i, o, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU()]


def data(part, n):
    x, y = idx("mnist", part, n)
    return TensorDataset((torch.tensor(x).float() / 255 - 0.13)[:, None] / 0.31, torch.tensor(y))


net = nn.Sequential(*conv(1, 16), *conv(16, 32), nn.Flatten(), nn.Dropout(0.3), nn.Linear(32 * 49, 10))
done(*Trainer(net, data("train", 3000), data("t10k", 800), 5).fit())
