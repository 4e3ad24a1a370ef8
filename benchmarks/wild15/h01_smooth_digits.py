"""Read handwritten digits with a small convolutional network, smoothed labels and a cosine schedule."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage, idx

EPOCHS = 8


def digits(part, n):
    x, y = idx("mnist", part, n)
    return TensorDataset((torch.from_numpy(x).float().unsqueeze(1) / 255 - 0.1307) / 0.3081, torch.from_numpy(y))


train_loader = DataLoader(digits("train", 6000), batch_size=64, shuffle=True)
val_loader = DataLoader(digits("t10k", 2000), batch_size=500)

model = nn.Sequential(
    nn.Conv2d(1, 16, 5, stride=2, padding=2),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Dropout(0.3),
    nn.Linear(32 * 49, 64),
    nn.ReLU(),
    nn.Linear(64, 10),
)
loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9, nesterov=True, weight_decay=5e-4)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * len(train_loader))


def accuracy(output, target):
    return (output.argmax(1) == target).float().mean().item()


watch = dressage.watch(model, optimizer, loss_fn, train=train_loader, val=val_loader, metric=accuracy)
for epoch in range(EPOCHS):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        outs, ys = zip(*[(model(x), y) for x, y in val_loader])
    outs, ys = torch.cat(outs), torch.cat(ys)
    watch.validated(loss=loss_fn(outs, ys).item(), metric=accuracy(outs, ys))
done(watch, accuracy(outs, ys))
