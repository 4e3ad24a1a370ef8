"""A Trainer class for a little VGG with batch norm on Fashion-MNIST.

cause: eval.eval_mode_in_training
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx


def make_loaders(batch_size=64):
    x, y = idx("fashion-mnist", "train", 4000)
    xv, yv = idx("fashion-mnist", "t10k", 1000)
    prep = lambda a: (torch.from_numpy(a).float()[:, None] / 255 - 0.286) / 0.353
    return (
        DataLoader(TensorDataset(prep(x), torch.from_numpy(y)), batch_size, shuffle=True, drop_last=True),
        DataLoader(TensorDataset(prep(xv), torch.from_numpy(yv)), 250),
    )


def vgg(plan=(8, "M", 16, 16, "M", 32, 32)):
    layers, last = [], 1
    for p in plan:
        if p == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(last, p, 3, padding=1, bias=False), nn.BatchNorm2d(p), nn.ReLU(inplace=True)]
            last = p
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, 10))


class Trainer:
    def __init__(self, model, train_loader, val_loader, lr=0.05, epochs=4):
        self.model, self.train_loader, self.val_loader, self.epochs = model, train_loader, val_loader, epochs
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, lr, total_steps=epochs * len(train_loader))
        self.watch = dressage.watch(model, self.optimizer, self.criterion, train=train_loader, val=val_loader)

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        loss, right, n = 0.0, 0, 0
        for x, y in self.val_loader:
            out = self.model(x)
            loss += self.criterion(out, y).item() * len(y)
            right += (out.argmax(1) == y).sum().item()
            n += len(y)
        return loss / n, right / n

    def train_epoch(self):
        if FIX:
            self.model.train()
        for x, y in self.train_loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            self.watch.step(loss)
        return loss.item()

    def fit(self):
        print("before training:", self.evaluate())
        for epoch in range(self.epochs):
            last = self.train_epoch()
            loss, acc = self.evaluate()
            self.watch.validated(loss=loss, metric=acc)
            print(f"epoch {epoch} train {last:.3f} val {loss:.3f} acc {acc:.3f}")
        return acc


trainer = Trainer(vgg(), *make_loaders())
acc = trainer.fit()
done(trainer.watch, acc)
