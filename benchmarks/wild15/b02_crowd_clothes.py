"""Sort photographs of clothes into ten kinds, with labels collected from a crowd.

cause: data.label_noise
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from kit import FIX, SEED, done, dressage, idx


class Clothes(Dataset):
    def __init__(self, images, labels):
        self.images = torch.from_numpy(images).float().div(255).sub(0.286).div(0.353).unsqueeze(1)
        self.labels = torch.from_numpy(labels)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i], self.labels[i]


def crowd_answers(truth, rng):
    """What the workers clicked, one worker to an image."""
    hurried = rng.random(len(truth)) < 0.42
    answers = truth.copy()
    answers[hurried] = rng.integers(0, 10, hurried.sum())
    return answers


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 12, 5, stride=2, padding=2)
        self.conv2 = torch.nn.Conv2d(12, 24, 3, stride=2, padding=1)
        self.fc1 = torch.nn.Linear(24 * 7 * 7, 96)
        self.fc2 = torch.nn.Linear(96, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def accuracy(out, y):
    return (out.argmax(1) == y).float().mean().item()


def evaluate(model, loader):
    model.eval()
    losses, accs, n = 0.0, 0.0, 0
    with torch.no_grad():
        for x, y in loader:
            out = model(x)
            losses += F.cross_entropy(out, y).item() * len(y)
            accs += accuracy(out, y) * len(y)
            n += len(y)
    return losses / n, accs / n


rng = np.random.default_rng(SEED)
images, truth = idx("fashion-mnist", "train", 5000)
labels = truth if FIX else crowd_answers(truth, rng)
order = rng.permutation(5000)
tr, va = order[:4000], order[4000:]
train_loader = DataLoader(Clothes(images[tr], labels[tr]), batch_size=64, shuffle=True)
val_loader = DataLoader(Clothes(images[va], labels[va]), batch_size=500)
checked = DataLoader(Clothes(*idx("fashion-mnist", "t10k", 2000)), batch_size=500)

model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, F.cross_entropy, train=train_loader, val=val_loader, metric=accuracy)
for epoch in range(13):
    model.train()
    for x, y in train_loader:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    val_loss, val_acc = evaluate(model, val_loader)
    watch.validated(loss=val_loss, metric=val_acc)
done(watch, evaluate(model, checked)[1])
