"""Which digits are in a picture of two that lie over each other? Ten yes-or-no outputs.

cause: optim.over_regularised
"""

import torch
from kit import FIX, done, dressage, idx
from sklearn.metrics import f1_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def overlaid(part, n, pairs):
    x, y = idx("mnist", part, n)
    x, y = torch.tensor(x).float() / 255, torch.tensor(y)
    a, b = torch.randint(n, (pairs,)), torch.randint(n, (pairs,))
    labels = torch.zeros(pairs, 10)
    labels[torch.arange(pairs), y[a]] = 1
    labels[torch.arange(pairs), y[b]] = 1
    return TensorDataset(torch.maximum(x[a], x[b]).flatten(1), labels)


class MultiLabelNet(nn.Module):
    def __init__(self, keep_prob=0.9):
        super().__init__()
        p = 1 - keep_prob if FIX else keep_prob
        self.layers = nn.Sequential(
            nn.Linear(784, 128),
            nn.ReLU(),
            nn.Dropout(p),
            nn.Linear(128, 64),
            nn.ReLU(),
            nn.Dropout(p),
            nn.Linear(64, 10),
        )

    def forward(self, x):
        return self.layers(x)


class Trainer:
    def __init__(self, model, train, val):
        self.model, self.train, self.val = model, DataLoader(train, batch_size=64, shuffle=True), val
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        self.loss = nn.BCEWithLogitsLoss()
        self.watch = dressage.watch(model, self.optimizer, self.loss, train=train, val=val)

    def run(self, epochs):
        for _ in range(epochs):
            self.model.train()
            for x, y in self.train:
                self.optimizer.zero_grad()
                loss = self.loss(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                self.watch.step(loss)
        return self.score()

    def score(self):
        self.model.eval()
        x, y = self.val.tensors
        with torch.no_grad():
            return f1_score(y, self.model(x) > 0, average="micro", zero_division=0)


trainer = Trainer(MultiLabelNet(), overlaid("train", 5000, 5000), overlaid("t10k", 1000, 600))
done(trainer.watch, trainer.run(8))
