"""Kaggle style: breast cancer, standardised columns, one logit."""

import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, Dataset

from kit import SEED, done, dressage


class TableData(Dataset):
    def __init__(self, X, y):
        self.X = torch.FloatTensor(X)
        self.y = torch.FloatTensor(y)

    def __getitem__(self, index):
        return self.X[index], self.y[index]

    def __len__(self):
        return len(self.X)


X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=42 + SEED, stratify=y)
scaler = StandardScaler()
X_train = scaler.fit_transform(X_train)
X_test = scaler.transform(X_test)
train_loader = DataLoader(TableData(X_train, y_train), batch_size=8, shuffle=True)
test_loader = DataLoader(TableData(X_test, y_test), batch_size=57)


class BinaryClassification(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer_1 = nn.Linear(30, 24)
        self.layer_out = nn.Linear(24, 1)
        self.dropout = nn.Dropout(p=0.3)

    def forward(self, inputs):
        return self.layer_out(self.dropout(torch.relu(self.layer_1(inputs)))).squeeze(-1)


model = BinaryClassification()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-2)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=test_loader)

for e in range(1, 31):
    model.train()
    for X_batch, y_batch in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(X_batch), y_batch)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(a) for a, _ in test_loader])
    target = test_loader.dataset.y
    acc = ((logits > 0).float() == target).float().mean().item()
    tl = criterion(logits, target).item()
    watch.validated(loss=tl, metric=acc)
    if e % 10 == 0:
        print(f"Epoch {e:03}: train {loss.item():.4f} test {tl:.4f} acc {acc:.3f}")
done(watch, acc)
