"""How bright is the lower half of a garment? A GRU over the rows of the upper half, with dropout between the parts.

cause: eval.train_mode_at_eval
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset


class RowGRU(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.gru = nn.GRU(14, hidden, batch_first=True)
        self.fc1, self.fc2 = nn.Linear(hidden, 48), nn.Linear(48, 1)

    def drop(self, x):
        return F.dropout(x, 0.5, training=self.training) if FIX else F.dropout(x, 0.5)

    def forward(self, x):
        _, h = self.gru(x)
        x = self.drop(h[-1])
        x = self.drop(torch.relu(self.fc1(x)))
        return self.fc2(x)


def load(part, n):
    x, _ = idx("fashion-mnist", part, n)
    x = F.avg_pool2d(torch.tensor(x).float().unsqueeze(1) / 255, 2).squeeze(1)
    return x[:, :7], x[:, 7:].mean((1, 2)).unsqueeze(1)


(x_train, y_train), (x_val, y_val) = load("train", 3000), load("t10k", 800)
mean, std = y_train.mean(), y_train.std()
train_set, val_set = TensorDataset(x_train, (y_train - mean) / std), TensorDataset(x_val, (y_val - mean) / std)
train_loader, val_loader = DataLoader(train_set, 32, shuffle=True), DataLoader(val_set, 100)
model = RowGRU()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.MSELoss()
with dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader) as watch:
    for epoch in range(7):
        model.train()
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            watch.step(loss)
        model.eval()
        watch.validating()
        total = 0
        with torch.no_grad():
            for x, y in val_loader:
                total += criterion(model(x), y).item() * len(y)
        val_loss = total / len(val_set)
        watch.validated(loss=val_loss)
done(watch, 1 - val_loss / val_set.tensors[1].var())
