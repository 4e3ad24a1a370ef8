"""Iris by a small net with the negative log likelihood.

cause: loss.logits_as_probs model.wrong_output_activation
"""

import torch
import torch.nn as nn
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

X, y = load_iris(return_X_y=True)
X = (X - X.mean(0)) / X.std(0)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=SEED, stratify=y)
X_train, X_test = torch.FloatTensor(X_train), torch.FloatTensor(X_test)
y_train, y_test = torch.LongTensor(y_train), torch.LongTensor(y_test)


class IrisNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 3))

    def forward(self, x):
        x = self.layers(x)
        return x.log_softmax(1) if FIX else x


model = IrisNet()
loss_fn = nn.NLLLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
train_loader = DataLoader(TensorDataset(X_train, y_train), batch_size=16, shuffle=True)
watch = dressage.watch(model, optimizer, loss_fn, train=train_loader, val=(X_test, y_test))
for epoch in range(50):
    for features, labels in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(features), labels)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, (model(X_test).argmax(1) == y_test).float().mean())
