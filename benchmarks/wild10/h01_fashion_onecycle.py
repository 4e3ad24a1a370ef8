"""Fashion-MNIST with a small convolutional network, label smoothing and a one-cycle schedule."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage, idx

xa, ya = idx("fashion-mnist", "train", 8000)
xb, yb = idx("fashion-mnist", "t10k", 2000)
prepare = lambda x: (torch.from_numpy(x).float()[:, None] / 255 - 0.286) / 0.353
train_loader = DataLoader(TensorDataset(prepare(xa), torch.from_numpy(ya)), batch_size=64, shuffle=True, drop_last=True)
val_loader = DataLoader(TensorDataset(prepare(xb), torch.from_numpy(yb)), batch_size=500)


def stage(i, o):
    return [nn.Conv2d(i, o, 3, padding=1, stride=2, bias=False), nn.BatchNorm2d(o), nn.ReLU()]


model = nn.Sequential(
    *stage(1, 24),
    *stage(24, 48),
    nn.Conv2d(48, 64, 3, padding=1),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(2),
    nn.Flatten(),
    nn.Dropout(0.2),
    nn.Linear(256, 10),
)
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
EPOCHS = 6
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, max_lr=8e-3, epochs=EPOCHS, steps_per_epoch=len(train_loader)
)
accuracy = lambda output, target: (output.argmax(1) == target).float().mean().item()
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader, metric=accuracy)

for epoch in range(EPOCHS):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = torch.cat([model(x) for x, _ in val_loader])
    target = val_loader.dataset.tensors[1]
    watch.validated(loss=criterion(out, target).item(), metric=accuracy(out, target))

done(watch, accuracy(out, target))
