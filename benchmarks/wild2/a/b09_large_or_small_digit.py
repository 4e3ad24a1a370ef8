"""Is the written digit five or more? A net of three layers on the 8 by 8 digits.

cause: model.missing_nonlinearity
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 8 - 1, y >= 5, test_size=400, random_state=3)
X_train, X_test = torch.tensor(X_train).float(), torch.tensor(X_test).float()
y_train, y_test = torch.tensor(y_train).float()[:, None], torch.tensor(y_test).float()[:, None]


class BinaryNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 64)
        self.fc2 = nn.Linear(64, 32)
        self.fc3 = nn.Linear(32, 1)
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.fc1(x)
        if FIX:
            x = self.relu(x)
        x = self.fc2(x)
        if FIX:
            x = self.relu(x)
        return self.fc3(x)


model = BinaryNet()
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=32, shuffle=True)
watch = dressage.watch(model, optimizer, loss_fn, train=loader, val=(X_test, y_test))
for epoch in range(20):
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    acc = ((model(X_test) > 0).float() == y_test).float().mean()
print("test accuracy", acc.item())
done(watch, acc)
