"""Fashion-MNIST with a convolutional network, one-cycle schedule, as in many tutorials."""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from kit import done, dressage, idx

EPOCHS = 5
x, y = idx("fashion-mnist", "train", 7000)
xt, yt = idx("fashion-mnist", "t10k", 1500)
x, xt = (torch.from_numpy(a).float().unsqueeze(1) / 255.0 for a in (x, xt))
mu, sd = x.mean(), x.std()
x, xt = (x - mu) / sd, (xt - mu) / sd
train_loader = DataLoader(TensorDataset(x, torch.from_numpy(y)), batch_size=64, shuffle=True)
test_loader = DataLoader(TensorDataset(xt, torch.from_numpy(yt)), batch_size=500)


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2))
        self.block2 = nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2))
        self.drop = nn.Dropout(0.3)
        self.fc = nn.Linear(32 * 49, 10)

    def forward(self, x):
        x = self.block2(self.block1(x))
        return self.fc(self.drop(x.flatten(1)))


model = CNN()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, max_lr=3e-3, steps_per_epoch=len(train_loader), epochs=EPOCHS
)
accuracy = lambda out, t: (out.argmax(1) == t).float().mean().item()
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=test_loader, metric=accuracy)

for epoch in range(EPOCHS):
    model.train()
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        scheduler.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        res = [(model(a), b) for a, b in test_loader]
    out, t = torch.cat([r[0] for r in res]), torch.cat([r[1] for r in res])
    watch.validated(loss=criterion(out, t).item(), metric=accuracy(out, t))
    print(epoch + 1, f"train {loss.item():.3f} test {criterion(out, t).item():.3f} acc {accuracy(out, t):.3f}")
done(watch, accuracy(out, t))
