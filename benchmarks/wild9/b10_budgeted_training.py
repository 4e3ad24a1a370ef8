"""Fashion-MNIST from a file on disk, trained for as many seconds as the shared machine allows.

cause: pipe.data_stall
"""

import os
import tempfile
import time

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from kit import FIX, done, dressage, idx

SECONDS = 8
folder = tempfile.TemporaryDirectory()
archive = os.path.join(folder.name, "clothes.npz")
images, labels = idx("fashion-mnist", "train", 6000)
np.savez(archive, images=images, labels=labels)
test_x, test_y = idx("fashion-mnist", "t10k", 1000)


class Archive(Dataset):
    def __init__(self, path):
        self.path = path
        with np.load(path) as f:
            self.size = len(f["labels"])
            self.cache = (f["images"], f["labels"]) if FIX else None

    def __len__(self):
        return self.size

    def __getitem__(self, i):
        if self.cache:
            image, label = self.cache[0][i], self.cache[1][i]
        else:
            with np.load(self.path) as f:
                image, label = f["images"][i], f["labels"][i]
        return torch.from_numpy(image.astype(np.float32) / 255)[None], int(label)


loader = DataLoader(Archive(archive), batch_size=16, shuffle=True)
model = nn.Sequential(
    nn.Conv2d(1, 12, 5, stride=2),
    nn.ReLU(),
    nn.Conv2d(12, 24, 3, stride=2),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(600, 48),
    nn.ReLU(),
    nn.Linear(48, 10),
)
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
watch = dressage.watch(model, optimizer, loss_fn, train=loader)

start, steps = time.monotonic(), 0
while time.monotonic() - start < SECONDS and steps < 4500:
    for x, y in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        steps += 1
        if time.monotonic() - start > SECONDS:
            break

model.eval()
with torch.no_grad():
    out = model(torch.from_numpy(test_x)[:, None].float() / 255)
acc = (out.argmax(1) == torch.from_numpy(test_y)).float().mean()
if os.environ.get("STEPS"):
    print(steps)
done(watch, acc)
