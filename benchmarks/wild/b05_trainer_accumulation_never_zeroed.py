"""A Trainer class with dict batches and gradient accumulation; zero_grad was lost in a refactoring.

cause: optim.no_zero_grad
"""

import torch
from kit import FIX, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    def __init__(self, x, y):
        self.x, self.y = torch.as_tensor(x, dtype=torch.float32) / 16, torch.as_tensor(y)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return {"image": self.x[i], "target": self.y[i]}


class Trainer:
    def __init__(self, model, optimizer, criterion, train_loader, val_loader, accumulate=4):
        self.model, self.optimizer, self.criterion = model, optimizer, criterion
        self.train_loader, self.val_loader, self.accumulate = train_loader, val_loader, accumulate
        self.watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader)

    def fit(self, epochs):
        for epoch in range(epochs):
            self.train_epoch()
            print(epoch, self.evaluate())

    def train_epoch(self):
        self.model.train()
        for i, batch in enumerate(self.train_loader):
            loss = self.criterion(self.model(batch["image"]), batch["target"])
            (loss / self.accumulate).backward()
            if (i + 1) % self.accumulate == 0:
                self.optimizer.step()
                if FIX:
                    self.optimizer.zero_grad()
                self.watch.step(loss)

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        right = [(self.model(b["image"]).argmax(-1) == b["target"]).float() for b in self.val_loader]
        self.acc = torch.cat(right).mean().item()
        self.watch.validated(metric=self.acc)
        return self.acc


X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X, y, test_size=0.2, random_state=0)
model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
trainer = Trainer(
    model,
    torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
    nn.CrossEntropyLoss(),
    DataLoader(Digits(Xa, ya), 16, shuffle=True),
    DataLoader(Digits(Xb, yb), 64),
)
trainer.fit(12)
done(trainer.watch, trainer.acc)
