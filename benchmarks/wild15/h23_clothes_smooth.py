"""Fashion-MNIST with label smoothing, flips, shifts and erased squares; a small CNN with a one-cycle rate."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage, idx

BATCH, EPOCHS = 50, 7


def tensors(part, n):
    x, y = idx("fashion-mnist", part, n)
    return TensorDataset((torch.from_numpy(x).float()[:, None] / 255 - 0.286) / 0.353, torch.from_numpy(y))


def augment(x):
    x = x.clone()
    flip = torch.rand(len(x)) < 0.5
    x[flip] = x[flip].flip(-1)
    dy, dx = torch.randint(-1, 2, (2,)).tolist()
    x = torch.roll(x, (dy, dx), (2, 3))
    r, c = torch.randint(0, 22, (2,)).tolist()
    x[::2, :, r : r + 6, c : c + 6] = 0
    return x


train = DataLoader(tensors("train", 5000), batch_size=BATCH, shuffle=True, drop_last=True)
valid = DataLoader(tensors("t10k", 2000), batch_size=500)

model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1, bias=False),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1, bias=False),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(32 * 49, 96),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(96, 10),
)
loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.02)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=EPOCHS * len(train))
watch = dressage.watch(
    model, optimizer, loss_fn, train=train, val=valid, metric=lambda out, y: (out.argmax(1) == y).float().mean().item()
)

for epoch in range(EPOCHS):
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        loss = loss_fn(model(augment(x)), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        watch.step(loss)

    model.eval()
    val_loss, hits = 0.0, 0
    with torch.no_grad():
        for x, y in valid:
            out = model(x)
            val_loss += loss_fn(out, y).item() / len(valid)
            hits += (out.argmax(1) == y).sum().item()
    acc = hits / len(valid.dataset)
    print(f"{epoch}: train {loss.item():.3f} val {val_loss:.3f} acc {acc:.4f}")
    watch.validated(loss=val_loss, metric=acc)

done(watch, acc)
