"""Fashion-MNIST with an MLP, label smoothing and accumulated gradients (memory-saving notebook)."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage, idx

ACCUM = 4
MICRO = 16

x, y = idx("fashion-mnist", "train", 8000)
xt, yt = idx("fashion-mnist", "t10k", 2000)
x, xt = torch.from_numpy(x).float().flatten(1) / 255, torch.from_numpy(xt).float().flatten(1) / 255
mean, std = x.mean(), x.std()
train = DataLoader(TensorDataset((x - mean) / std, torch.from_numpy(y)), batch_size=MICRO, shuffle=True)
val = DataLoader(TensorDataset((xt - mean) / std, torch.from_numpy(yt)), batch_size=500)

model = nn.Sequential(
    nn.Linear(784, 256),
    nn.LayerNorm(256),
    nn.GELU(),
    nn.Dropout(0.2),
    nn.Linear(256, 128),
    nn.LayerNorm(128),
    nn.GELU(),
    nn.Dropout(0.2),
    nn.Linear(128, 10),
)
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
EPOCHS = 8
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
total_updates = EPOCHS * len(train) // ACCUM
warmup = 40
scheduler = torch.optim.lr_scheduler.LambdaLR(
    optimizer, lambda s: min((s + 1) / warmup, max(0.0, (total_updates - s) / (total_updates - warmup)))
)
watch = dressage.watch(model, optimizer, criterion, train=train, val=val)

for epoch in range(EPOCHS):
    model.train()
    optimizer.zero_grad()
    for i, (xb, yb) in enumerate(train):
        loss = criterion(model(xb), yb)
        (loss / ACCUM).backward()
        if (i + 1) % ACCUM == 0:
            optimizer.step()
            scheduler.step()
            watch.step(loss)
            optimizer.zero_grad()
    model.eval()
    right, vloss = 0, 0.0
    with torch.no_grad():
        for xb, yb in val:
            out = model(xb)
            right += (out.argmax(1) == yb).sum().item()
            vloss += criterion(out, yb).item() / len(val)
    acc = right / 2000
    watch.validated(loss=vloss, metric=acc)
    print(f"epoch {epoch}: val loss {vloss:.3f} accuracy {acc:.4f}")
done(watch, acc)
