"""CIFAR-10 pictures with a small batch-normalised net.

cause: eval.preprocess_mismatch
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, cifar, done, dressage

MEAN = np.array([0.4914, 0.4822, 0.4465], np.float32)
STD = np.array([0.2470, 0.2435, 0.2616], np.float32)


def to_tensor(images):
    return torch.from_numpy(images.astype(np.float32) / 255)


def normalise(t):
    return (t - torch.from_numpy(MEAN)) / torch.from_numpy(STD)


def chw(t):
    return t.permute(0, 3, 1, 2).contiguous()


x_train, y_train, x_test, y_test = cifar(4000, 1000)
train_set = TensorDataset(chw(normalise(to_tensor(x_train))), torch.from_numpy(y_train))
test_images = to_tensor(x_test)
if FIX:
    test_images = normalise(test_images)
test_set = TensorDataset(chw(test_images), torch.from_numpy(y_test))
train_loader = DataLoader(train_set, 64, shuffle=True, drop_last=True)
test_loader = DataLoader(test_set, 200)


def block(a, b):
    return nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.ReLU())


model = nn.Sequential(
    block(3, 24), block(24, 48), block(48, 64), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(256, 10)
)
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
watch = dressage.watch(
    model,
    optimizer,
    loss_fn,
    train=train_loader,
    val=test_loader,
    metric=lambda o, t: (o.argmax(1) == t).float().mean(),
)

for epoch in range(6):
    model.train()
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for images, labels in test_loader:
            out = model(images)
            correct += (out.argmax(1) == labels).sum().item()
            total += loss_fn(out, labels).item() / len(test_loader)
    watch.validated(loss=total, metric=correct / len(test_set))

done(watch, correct / len(test_set))
