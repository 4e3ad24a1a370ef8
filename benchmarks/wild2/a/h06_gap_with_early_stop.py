"""Two thousand clothes, a wide CNN that learns them by heart; the best epoch is kept."""

import copy

import torch
import torch.nn as nn
from kit import done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("fashion-mnist", "train", 2000)
xv, yv = idx("fashion-mnist", "t10k", 1000)
scale = lambda a: torch.tensor(a)[:, None].float() / 255
train_loader = DataLoader(TensorDataset(scale(x), torch.tensor(y)), batch_size=50, shuffle=True)
xv, yv = scale(xv), torch.tensor(yv)

model = nn.Sequential(
    nn.Conv2d(1, 16, 5, stride=2),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(32 * 25, 256),
    nn.ReLU(),
    nn.Linear(256, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
best_accuracy, best_state, waited = 0.0, None, 0
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=(xv, yv))
for epoch in range(30):
    model.train()
    hits = 0
    for xb, yb in train_loader:
        optimizer.zero_grad()
        out = model(xb)
        loss = criterion(out, yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        hits += (out.argmax(1) == yb).sum().item()
    model.eval()
    with torch.no_grad():
        out = model(xv)
    accuracy, val_loss = (out.argmax(1) == yv).float().mean().item(), criterion(out, yv).item()
    watch.validated(loss=val_loss, metric=accuracy)
    print(f"{epoch}: train {hits / 2000:.3f} val {accuracy:.3f} val loss {val_loss:.3f}")
    if accuracy > best_accuracy:
        best_accuracy, best_state, waited = accuracy, copy.deepcopy(model.state_dict()), 0
    else:
        waited += 1
    if waited >= 5:
        break
model.load_state_dict(best_state)
with torch.no_grad():
    done(watch, (model(xv).argmax(1) == yv).float().mean())
