"""Fashion-MNIST with a three-layer perceptron whose weights are initialised by hand.

cause: model.init_too_large
"""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx

x, y = idx("fashion-mnist", "train", 6000)
xt, yt = idx("fashion-mnist", "t10k", 2000)
x = (torch.tensor(x).float().flatten(1) / 255 - 0.286) / 0.353
xt = (torch.tensor(xt).float().flatten(1) / 255 - 0.286) / 0.353
y, yt = torch.tensor(y), torch.tensor(yt)
train_loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
test_loader = DataLoader(TensorDataset(xt, yt), batch_size=500)


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 256)
        self.fc2 = nn.Linear(256, 128)
        self.fc3 = nn.Linear(128, 10)
        self.relu = nn.ReLU()
        self.apply(self.init_weights)

    def init_weights(self, m):
        if isinstance(m, nn.Linear):
            if FIX:
                nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
            else:
                nn.init.normal_(m.weight)
            nn.init.zeros_(m.bias)

    def forward(self, x):
        x = self.relu(self.fc1(x))
        x = self.relu(self.fc2(x))
        return self.fc3(x)


model = MLP()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
accuracy = lambda out, t: (out.argmax(1) == t).float().mean().item()
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=test_loader, metric=accuracy)

for epoch in range(6):
    model.train()
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    correct, total_loss = 0, 0.0
    with torch.no_grad():
        for images, labels in test_loader:
            out = model(images)
            total_loss += criterion(out, labels).item() * len(labels)
            correct += (out.argmax(1) == labels).sum().item()
    acc = correct / len(xt)
    watch.validated(loss=total_loss / len(xt), metric=acc)
    print(f"epoch {epoch + 1} loss {loss.item():.3f} test loss {total_loss / len(xt):.3f} acc {acc:.3f}")

done(watch, acc)
