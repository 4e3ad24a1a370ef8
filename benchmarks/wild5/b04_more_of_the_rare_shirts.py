"""Shirts among T-shirts: the rare shirts are repeated until both classes are as large; recall of shirts on a quarter held out.

The score is the recall on shirts that were never in the file, less the recall that the script reports.
cause: data.leakage
"""

import numpy as np
import torch
import torch.nn as nn
from kit import FIX, SEED, done, dressage, idx
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

x, y = idx("fashion-mnist", "train", 20000)
x = x.reshape(len(x), -1).astype(np.float32) / 255
tshirt, shirt = x[y == 0][:1200], x[y == 6]
new_shirt, shirt = shirt[1000:1600], shirt[:160]
X, Y = np.concatenate([tshirt, shirt]), np.array([0] * len(tshirt) + [1] * len(shirt))


def oversample(X, Y):
    minority = X[Y == 1]
    times = (Y == 0).sum() // len(minority) - 1
    return np.concatenate([X] + [minority] * times), np.concatenate([Y] + [np.ones(len(minority), int)] * times)


if FIX:
    X_train, X_val, Y_train, Y_val = train_test_split(X, Y, test_size=0.25, random_state=SEED, stratify=Y)
    X_train, Y_train = oversample(X_train, Y_train)
else:
    X, Y = oversample(X, Y)
    X_train, X_val, Y_train, Y_val = train_test_split(X, Y, test_size=0.25, random_state=SEED, stratify=Y)
train_set = TensorDataset(torch.from_numpy(X_train), torch.from_numpy(Y_train))
val_set = TensorDataset(torch.from_numpy(X_val), torch.from_numpy(Y_val))
model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=train_set, val=val_set)
for epoch in range(20):
    for xb, yb in DataLoader(train_set, batch_size=64, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)


@torch.no_grad()
def recall(X):
    return (model(torch.from_numpy(X)).argmax(1) == 1).float().mean().item()


reported, honest = recall(X_val[Y_val == 1]), recall(new_shirt)
print("recall reported", reported, "on new shirts", honest)
done(watch, honest - reported)
