"""Image classification with a reusable Trainer class and a plain MLP.

cause: loss.double_softmax
"""

from dataclasses import dataclass

import torch
from kit import FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    lr: float = 0.1
    batch_size: int = 50
    epochs: int = 8
    hidden: int = 128


class Classifier(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(784, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 10),
        )
        self.out = nn.Identity() if FIX else nn.Softmax(dim=1)

    def forward(self, x):
        return self.out(self.body(x))


def accuracy(output, target):
    return (output.argmax(1) == target).float().mean().item()


class Trainer:
    def __init__(self, model, cfg, train_set, val_set):
        self.model, self.cfg = model, cfg
        self.train_loader = DataLoader(train_set, cfg.batch_size, shuffle=True, drop_last=True)
        self.val_loader = DataLoader(val_set, 500)
        self.loss_fn = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=cfg.lr)
        self.watch = dressage.watch(
            model, self.optimizer, self.loss_fn, train=self.train_loader, val=self.val_loader, metric=accuracy
        )

    def train_epoch(self):
        self.model.train()
        running = 0.0
        for x, y in self.train_loader:
            self.optimizer.zero_grad()
            loss = self.loss_fn(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            self.watch.step(loss)
            running += loss.item()
        return running / len(self.train_loader)

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        losses, accs = [], []
        for x, y in self.val_loader:
            out = self.model(x)
            losses.append(self.loss_fn(out, y).item())
            accs.append(accuracy(out, y))
        return sum(losses) / len(losses), sum(accs) / len(accs)

    def fit(self):
        for epoch in range(self.cfg.epochs):
            train_loss = self.train_epoch()
            val_loss, val_acc = self.validate()
            self.watch.validated(loss=val_loss, metric=val_acc)
            print(f"[{epoch:02d}] train {train_loss:.4f} | val {val_loss:.4f} | acc {val_acc:.3f}")
        return val_acc


def dataset(part, n):
    x, y = idx("fashion-mnist", part, n)
    return TensorDataset((torch.tensor(x).float() / 255 - 0.286) / 0.353, torch.tensor(y))


if __name__ == "__main__":
    cfg = Config()
    trainer = Trainer(Classifier(cfg.hidden), cfg, dataset("train", 6000), dataset("t10k", 2000))
    score = trainer.fit()
    done(trainer.watch, score)
