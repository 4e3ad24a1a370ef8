"""Training pictures are inverted on reading, those of the test are read by another function.

cause: eval.preprocess_mismatch
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx


def read_train(n):
    x, y = idx("fashion-mnist", "train", n)
    x = 255 - x  # dark on light
    return torch.from_numpy(x).float()[:, None] / 255, torch.from_numpy(y)


def read_test(n):
    x, y = idx("fashion-mnist", "t10k", n)
    if FIX:
        x = 255 - x
    return torch.from_numpy(x).float()[:, None] / 255, torch.from_numpy(y)


train, test = read_train(3000), read_test(800)
model = nn.Sequential(
    nn.Conv2d(1, 12, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Conv2d(12, 24, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(24 * 49, 10),
)
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
crit = nn.CrossEntropyLoss()
watch = dressage.watch(model, opt, crit, train=train, val=test)
for epoch in range(5):
    for b in torch.randperm(3000).split(32):
        opt.zero_grad()
        loss = crit(model(train[0][b]), train[1][b])
        loss.backward()
        opt.step()
        watch.step(loss)
    with torch.no_grad():
        acc = (model(test[0]).argmax(1) == test[1]).float().mean().item()
    print(epoch, loss.item(), acc)
done(watch, acc)
