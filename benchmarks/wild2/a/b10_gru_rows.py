"""MNIST read row by row by a GRU.

cause: model.bottleneck
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

sequence_length = 28
input_size = 28
hidden_size = 48 if FIX else 2
num_classes = 10

x, y = idx("mnist", "train", 3000)
xt, yt = idx("mnist", "t10k", 500)
train_loader = DataLoader(TensorDataset(torch.tensor(x) / 255.0, torch.tensor(y)), batch_size=50, shuffle=True)
test_loader = DataLoader(TensorDataset(torch.tensor(xt) / 255.0, torch.tensor(yt)), batch_size=250)


class RNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(input_size, hidden_size, batch_first=True)
        self.fc = nn.Linear(hidden_size, num_classes)

    def forward(self, x):
        out, _ = self.gru(x)
        return self.fc(out[:, -1, :])


model = RNN()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=test_loader)
for epoch in range(8):
    for images, labels in train_loader:
        loss = criterion(model(images.reshape(-1, sequence_length, input_size)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)

model.eval()
with torch.no_grad():
    correct = sum((model(images).argmax(1) == labels).sum().item() for images, labels in test_loader)
done(watch, correct / 500)
