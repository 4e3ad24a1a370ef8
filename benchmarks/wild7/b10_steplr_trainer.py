"""Fashion-MNIST, CNN with batch norm, momentum SGD and a step schedule.

cause: optim.schedule_collapsed
"""

import numpy as np
import torch
from kit import FIX, done, dressage, idx
from torch import nn
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset


def load(part, n):
    x, y = idx("fashion-mnist", part, n)
    x = (x.astype(np.float32) / 255 - 0.286) / 0.353
    return TensorDataset(torch.from_numpy(x)[:, None], torch.from_numpy(y))


class SmallNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.25), nn.Linear(16 * 49, 10))

    def forward(self, x):
        return self.head(self.features(x))


class Trainer:
    def __init__(self, model, train_loader, val_loader, lr=0.02, epochs=9):
        self.model = model
        self.train_loader = train_loader
        self.val_loader = val_loader
        self.epochs = epochs
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)
        self.scheduler = StepLR(self.optimizer, step_size=3, gamma=0.3)
        self.watch = dressage.watch(model, self.optimizer)

    def run(self):
        for epoch in range(self.epochs):
            self.model.train()
            for x, y in self.train_loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                if not FIX:
                    self.scheduler.step()
                self.watch.step(loss)
            if FIX:
                self.scheduler.step()
            val_loss, val_acc = self.evaluate()
            self.watch.validated(loss=val_loss, metric=val_acc)
            print(f"epoch {epoch}: val_loss={val_loss:.3f} val_acc={val_acc:.3f}")
        return val_acc

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        loss, hits, n = 0.0, 0, 0
        for x, y in self.val_loader:
            out = self.model(x)
            loss += self.criterion(out, y).item() * len(y)
            hits += (out.argmax(1) == y).sum().item()
            n += len(y)
        return loss / n, hits / n


trainer = Trainer(
    SmallNet(),
    DataLoader(load("train", 5000), batch_size=64, shuffle=True),
    DataLoader(load("t10k", 1000), batch_size=500),
)
done(trainer.watch, trainer.run())
