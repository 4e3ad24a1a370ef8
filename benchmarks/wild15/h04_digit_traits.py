"""Four yes-or-no traits of an 8x8 digit: odd, above four, prime, has a closed loop."""

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from kit import SEED, done, dressage

bunch = load_digits()
images = (bunch.images.astype(np.float32) - 4.9) / 6.0
d = bunch.target
traits = np.stack([d % 2 == 1, d > 4, np.isin(d, [2, 3, 5, 7]), np.isin(d, [0, 6, 8, 9])], 1).astype(np.float32)
X_train, X_val, T_train, T_val = train_test_split(images[:, None], traits, test_size=0.3, random_state=SEED, stratify=d)


class TraitNet(nn.Module):
    def __init__(self, channels=24):
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.25)
        self.fc = nn.Linear(channels * 4, 4)

    def forward(self, x):
        x = self.pool(torch.relu(self.bn1(self.conv1(x))))
        x = self.pool(torch.relu(self.bn2(self.conv2(x))))
        return self.fc(self.drop(x.flatten(1)))


class Fitter:
    def __init__(self, net, epochs=24, batch=32):
        self.net, self.epochs, self.batch = net, epochs, batch
        self.loss = nn.BCEWithLogitsLoss()
        self.opt = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.01)
        self.sched = torch.optim.lr_scheduler.OneCycleLR(
            self.opt, 6e-3, total_steps=epochs * (-(-len(X_train) // batch))
        )
        self.watch = dressage.watch(
            net, self.opt, self.loss, train=(X_train, T_train), val=(X_val, T_val), metric=self.trait_accuracy
        )

    @staticmethod
    def trait_accuracy(output, target):
        return ((np.asarray(output.detach()) > 0) == (np.asarray(target) > 0.5)).mean()

    def validate(self):
        self.net.eval()
        with torch.no_grad():
            out = self.net(torch.from_numpy(X_val))
        score = self.trait_accuracy(out, T_val)
        self.watch.validated(loss=self.loss(out, torch.from_numpy(T_val)).item(), metric=score)
        return score

    def run(self):
        for _ in range(self.epochs):
            self.net.train()
            order = np.random.permutation(len(X_train))
            for start in range(0, len(order), self.batch):
                rows = order[start : start + self.batch]
                loss = self.loss(self.net(torch.from_numpy(X_train[rows])), torch.from_numpy(T_train[rows]))
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                self.sched.step()
                self.watch.step(loss)
            score = self.validate()
        return score


fitter = Fitter(TraitNet())
done(fitter.watch, fitter.run())
