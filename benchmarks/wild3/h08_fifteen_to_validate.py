"""Wine with fifteen bottles to validate on: the curve jumps by 7 % a bottle."""

import torch
from kit import SEED, done, dressage
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

X, y = load_wine(return_X_y=True)
X_train, X_rest, y_train, y_rest = train_test_split(X, y, test_size=0.4, random_state=SEED, stratify=y)
X_val, X_test, y_val, y_test = train_test_split(X_rest, y_rest, train_size=15, random_state=SEED, stratify=y_rest)
scaler = StandardScaler().fit(X_train)
pair = lambda a, b: TensorDataset(torch.tensor(scaler.transform(a)).float(), torch.tensor(b))
train, val, test = pair(X_train, y_train), pair(X_val, y_val), pair(X_test, y_test)

model = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
loader = DataLoader(train, batch_size=12, shuffle=True)
with dressage.watch(model, optimizer, criterion, train=train, val=val) as watch:
    for epoch in range(30):
        model.train()
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
            watch.step(loss)
        model.eval()
        watch.validating()
        with torch.no_grad():
            out = model(val.tensors[0])
        watch.validated(loss=criterion(out, val.tensors[1]), metric=(out.argmax(1) == val.tensors[1]).float().mean())
with torch.no_grad():
    done(watch, (model(test.tensors[0]).argmax(1) == test.tensors[1]).float().mean())
