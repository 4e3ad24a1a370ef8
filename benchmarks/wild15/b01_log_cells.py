"""Tell malignant from benign breast tumours from cell measurements on a log scale.

cause: data.nonfinite
"""

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn

from kit import FIX, SEED, done, dressage


class TumourNet(nn.Module):
    def __init__(self, n_in, hidden=48):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(n_in, hidden), nn.ReLU(), nn.Dropout(0.2), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.head = nn.Linear(hidden, 2)

    def forward(self, x):
        return self.head(self.body(x))


def accuracy(output, target):
    return (output.argmax(1) == target).float().mean().item()


class Trainer:
    def __init__(self, model, train, val, lr=3e-4, batch_size=8):
        self.model = model
        self.xt, self.yt = train
        self.xv, self.yv = val
        self.batch_size = batch_size
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr, weight_decay=1e-4)
        self.watch = dressage.watch(model, self.optimizer, self.criterion, train=train, val=val, metric=accuracy)

    def train_epoch(self):
        self.model.train()
        for rows in torch.randperm(len(self.xt)).split(self.batch_size):
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(self.xt[rows]), self.yt[rows])
            loss.backward()
            self.optimizer.step()
            self.watch.step(loss)

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        out = self.model(self.xv)
        return self.criterion(out, self.yv).item(), accuracy(out, self.yv)

    def fit(self, epochs):
        for _ in range(epochs):
            self.train_epoch()
            loss, acc = self.evaluate()
            self.watch.validated(loss=loss, metric=acc)
        return acc


X, y = load_breast_cancer(return_X_y=True)
# the measurements are skewed, so work with their logarithms
X = np.log(X + 1e-3) if FIX else np.log(X)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.3, stratify=y, random_state=SEED)
mean, std = X_train.mean(0), X_train.std(0)
X_train, X_val = (X_train - mean) / std, (X_val - mean) / std

train = torch.tensor(X_train, dtype=torch.float32), torch.tensor(y_train)
val = torch.tensor(X_val, dtype=torch.float32), torch.tensor(y_val)
trainer = Trainer(TumourNet(X.shape[1]), train, val)
final = trainer.fit(epochs=26)
done(trainer.watch, final)
