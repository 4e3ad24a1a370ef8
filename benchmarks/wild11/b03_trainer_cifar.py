"""Small residual net on CIFAR-10 with a Trainer class.

cause: eval.preprocess_mismatch
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from kit import FIX, cifar, done, dressage

MEAN = torch.tensor([0.4914, 0.4822, 0.4465]).view(3, 1, 1)
STD = torch.tensor([0.2470, 0.2435, 0.2616]).view(3, 1, 1)


class Cifar(Dataset):
    def __init__(self, x, y, transform):
        self.x, self.y, self.transform = torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(y), transform

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.transform(self.x[i]), self.y[i]


def to_tensor(img):
    return img.float() / 255


def normalize(img):
    return (to_tensor(img) - MEAN) / STD


def train_transform(img):
    img = normalize(img)
    return img.flip(2) if torch.rand(1) < 0.5 else img


class Block(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(i, o, 3, 2, 1, bias=False), nn.BatchNorm2d(o)
        self.c2, self.b2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.short = nn.Conv2d(i, o, 1, 2)

    def forward(self, x):
        return F.relu(self.b2(self.c2(F.relu(self.b1(self.c1(x))))) + self.short(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(Block(3, 12), Block(12, 24), Block(24, 48))
        self.head = nn.Linear(48, 10)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


class Trainer:
    def __init__(self, model, train_set, valid_set, epochs=8):
        self.model, self.epochs = model, epochs
        self.train_loader = DataLoader(train_set, 64, shuffle=True)
        self.valid_loader = DataLoader(valid_set, 200)
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=5e-2)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, 6e-3, epochs * len(self.train_loader))
        self.watch = dressage.watch(
            model, self.optimizer, F.cross_entropy, train=self.train_loader, val=self.valid_loader
        )

    def fit(self):
        for _ in range(self.epochs):
            self.model.train()
            for x, y in self.train_loader:
                loss = F.cross_entropy(self.model(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.scheduler.step()
                self.watch.step(loss)
            acc, nll = self.evaluate()
            self.watch.validated(loss=nll, metric=acc)
        return acc

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        hits = total = nll = 0
        for x, y in self.valid_loader:
            out = self.model(x)
            hits += (out.argmax(1) == y).sum().item()
            nll += F.cross_entropy(out, y, reduction="sum").item()
            total += len(y)
        return hits / total, nll / total


x, y, xt, yt = cifar(3000, 1000)
valid_transform = normalize if FIX else to_tensor
trainer = Trainer(Net(), Cifar(x, y, train_transform), Cifar(xt, yt, valid_transform))
score = trainer.fit()
done(trainer.watch, score)
