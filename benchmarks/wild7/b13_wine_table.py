"""Which of three growers made the wine? A small network on the chemical table.

cause: data.unscaled_inputs
"""

import numpy as np
import torch
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

data = load_wine()
X_train, X_test, y_train, y_test = train_test_split(
    data.data, data.target, test_size=0.35, stratify=data.target, random_state=SEED
)
if FIX:
    scaler = StandardScaler()
    X_train = scaler.fit_transform(X_train)
    X_test = scaler.transform(X_test)

X_train = torch.FloatTensor(X_train)
X_test = torch.FloatTensor(X_test)
y_train = torch.LongTensor(y_train)
y_test = torch.LongTensor(y_test)

model = torch.nn.Sequential(
    torch.nn.Linear(13, 32),
    torch.nn.ReLU(),
    torch.nn.Linear(32, 3),
)
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
watch = dressage.watch(model, optimizer, criterion, train=(X_train, y_train), val=(X_test, y_test))

losses = []
for epoch in range(60):
    model.train()
    idx = np.random.permutation(len(X_train))
    for start in range(0, len(idx), 10):
        batch = idx[start : start + 10]
        optimizer.zero_grad()
        loss = criterion(model(X_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()
        watch.step(loss)
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        out = model(X_test)
        test_loss = criterion(out, y_test).item()
        acc = (out.argmax(1) == y_test).float().mean().item()
    watch.validated(loss=test_loss, metric=acc)
    if (epoch + 1) % 10 == 0:
        print(f"Epoch [{epoch + 1}/60] loss {np.mean(losses[-12:]):.4f} test loss {test_loss:.4f} acc {acc:.4f}")

done(watch, acc)
