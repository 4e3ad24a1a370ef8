"""A net with batch norm and dropout on digits; the test images lie folder by folder.

cause: eval.train_mode_at_eval
"""

import numpy as np
import torch
from kit import FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

xt, yt = idx("mnist", "train", 3000)
xv, yv = idx("mnist", "t10k", 1000)
by_class = np.argsort(yv, kind="stable")
to = lambda x: torch.tensor(x).float().div(255).unsqueeze(1)
train_loader = DataLoader(TensorDataset(to(xt), torch.tensor(yt)), batch_size=50, shuffle=True)
test_loader = DataLoader(TensorDataset(to(xv[by_class]), torch.tensor(yv[by_class])), batch_size=8)

model = nn.Sequential(
    nn.Conv2d(1, 8, 5, stride=2),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.Conv2d(8, 16, 3, stride=2),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.Flatten(),
    nn.Dropout(0.4),
    nn.Linear(16 * 25, 64),
    nn.BatchNorm1d(64),
    nn.ReLU(),
    nn.Linear(64, 10),
)
loss_func = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

with dressage.watch(model, optimizer, loss_func, train=train_loader, val=test_loader) as watch:
    for epoch in range(5):
        model.train()
        for images, labels in watch.batches(train_loader):
            optimizer.zero_grad()
            loss = loss_func(model(images), labels)
            loss.backward()
            optimizer.step()
            watch.step(loss)
        if FIX:
            model.eval()
        watch.validating()
        test_loss, correct = 0.0, 0
        with torch.no_grad():
            for images, labels in test_loader:
                out = model(images)
                test_loss += loss_func(out, labels).item() * len(labels) / 1000
                correct += (out.argmax(1) == labels).sum().item()
        watch.validated(loss=test_loss, metric=correct / 1000)
done(watch, correct / 1000)
