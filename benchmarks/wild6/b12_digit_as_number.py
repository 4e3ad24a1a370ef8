"""Which digit it is as a number to be predicted: one output, rounded at the end.

cause: loss.mse_for_classes
"""

import torch
import torch.nn as nn
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16.0, y, test_size=0.25, random_state=SEED)
X_train, X_test = torch.FloatTensor(X_train), torch.FloatTensor(X_test)
y_train, y_test = torch.LongTensor(y_train), torch.LongTensor(y_test)
if FIX:
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    criterion, target = nn.CrossEntropyLoss(), y_train
else:
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 1), nn.Flatten(0))
    criterion, target = nn.MSELoss(), y_train.float()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
watch = dressage.watch(model, optimizer, criterion, train=(X_train, target))
for epoch in range(20):
    order = torch.randperm(len(X_train))
    for i in range(0, len(order), 64):
        idx = order[i : i + 64]
        optimizer.zero_grad()
        loss = criterion(model(X_train[idx]), target[idx])
        loss.backward()
        optimizer.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    out = model(X_test)
pred = out.argmax(1) if FIX else out.round().long()
done(watch, (pred == y_test).float().mean())
