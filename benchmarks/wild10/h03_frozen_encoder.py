"""Learn the digits 5 to 9 from 600 examples with an encoder that was trained on 0 to 4 and stays as it is."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage, idx

x, y = idx("mnist", "train", 12000)
xt, yt = idx("mnist", "t10k", 3000)
x, xt = [(torch.from_numpy(a).float()[:, None] / 255 - 0.1307) / 0.3081 for a in (x, xt)]
y, yt = torch.from_numpy(y), torch.from_numpy(yt)

encoder = nn.Sequential(
    nn.Conv2d(1, 16, 5, 2, 2),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, 2, 1),
    nn.ReLU(),
    nn.Conv2d(32, 48, 3, 2, 1),
    nn.ReLU(),
    nn.Flatten(),
)
first = nn.Sequential(encoder, nn.Dropout(0.3), nn.Linear(48 * 16, 5))
opt = torch.optim.Adam(first.parameters(), 1e-3)
low = y < 5
for epoch in range(2):
    for xb, yb in DataLoader(TensorDataset(x[low], y[low]), 64, shuffle=True):
        opt.zero_grad()
        nn.functional.cross_entropy(first(xb), yb).backward()
        opt.step()

for p in encoder.parameters():
    p.requires_grad_(False)
high, high_t = (y >= 5).nonzero()[:600, 0], yt >= 5
train = DataLoader(TensorDataset(x[high], y[high] - 5), 32, shuffle=True)
val = DataLoader(TensorDataset(xt[high_t], yt[high_t] - 5), 500)

model = nn.Sequential(encoder, nn.Dropout(0.3), nn.Linear(48 * 16, 5))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model[2].parameters(), lr=3e-3, weight_decay=1e-3)
EPOCHS = 24
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
accuracy = lambda out, target: (out.argmax(1) == target).float().mean().item()
watch = dressage.watch(model, optimizer, criterion, train=train, val=val, metric=accuracy)

for epoch in range(EPOCHS):
    model.train()
    for xb, yb in train:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    schedule.step()
    model.eval()
    with torch.no_grad():
        out = torch.cat([model(xb) for xb, _ in val])
    target = val.dataset.tensors[1]
    watch.validated(loss=criterion(out, target).item(), metric=accuracy(out, target))
    if epoch % 4 == 3:
        print(epoch, loss.item(), criterion(out, target).item(), accuracy(out, target))

done(watch, accuracy(out, target))
