"""A Dataset that opens the archive for each picture; the score is thousands of rows in a second.

cause: pipe.data_stall
"""

import gzip
import time

import torch
from kit import DATA, FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Archive(Dataset):
    def __init__(self, n):
        self.path = f"{DATA}/mnist/t10k-images-idx3-ubyte.gz"
        _, self.labels = idx("mnist", "t10k", n)
        self.everything = None

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        if self.everything is None or not FIX:
            with gzip.open(self.path) as f:
                self.everything = f.read(16 + 784 * len(self))
        raw = bytearray(self.everything[16 + 784 * i : 800 + 784 * i])
        return torch.frombuffer(raw, dtype=torch.uint8).float().view(1, 28, 28) / 255, int(self.labels[i])


train_set = Archive(600)
loader = DataLoader(train_set, batch_size=10, shuffle=True)
model = nn.Sequential(
    nn.Conv2d(1, 16, 5, stride=2),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(800, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
start = time.perf_counter()
with dressage.watch(model, optimizer, criterion, train=loader) as watch:
    for epoch in range(3):
        for x, y in watch.batches(loader):
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            watch.step(loss)
done(watch, 3 * len(train_set) / (time.perf_counter() - start) / 1000)
