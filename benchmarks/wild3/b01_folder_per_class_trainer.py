"""A small convolutional net with batch norm on clothes, listed folder by folder, in a Trainer class.

cause: data.no_shuffle
"""

import numpy as np
import torch
from kit import FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, Dataset


class ClothesFolders(Dataset):
    """root/0/*.png, root/1/*.png ..."""

    def __init__(self, images, labels):
        self.samples = []
        for c in range(10):
            for i in np.flatnonzero(labels == c):
                self.samples.append((images[i], c))

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        img, target = self.samples[i]
        return (torch.from_numpy(img).float() / 255 - 0.286)[None] / 0.353, target


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU()
        )
        self.classifier = nn.Linear(16 * 36, 10)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class Trainer:
    def __init__(self, model, train_set, test_set, lr=0.03, epochs=4):
        self.model, self.epochs = model, epochs
        self.train_loader = DataLoader(train_set, batch_size=32, shuffle=FIX)
        self.test_loader = DataLoader(test_set, batch_size=250)
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
        self.watch = dressage.watch(
            model, self.optimizer, self.criterion, train=self.train_loader, val=self.test_loader
        )

    def train_epoch(self):
        self.model.train()
        for images, labels in self.train_loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
            self.watch.step(loss)

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        hits = sum((self.model(x).argmax(1) == y).sum().item() for x, y in self.test_loader)
        return hits / len(self.test_loader.dataset)

    def fit(self):
        for _ in range(self.epochs):
            self.train_epoch()
            accuracy = self.evaluate()
        return accuracy


xt, yt = idx("fashion-mnist", "train", 4000)
xv, yv = idx("fashion-mnist", "t10k", 1000)
trainer = Trainer(Net(), ClothesFolders(xt, yt), ClothesFolders(xv, yv))
done(trainer.watch, trainer.fit())
