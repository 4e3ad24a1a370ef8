"""Diabetes progression from all products of the columns: 200 rows, a large weight decay."""

import torch
from kit import SEED, done, dressage
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from torch import nn

X, y = load_diabetes(return_X_y=True)
X = PolynomialFeatures(2, include_bias=False).fit_transform(X)
Xa, Xb, ya, yb = train_test_split(X, y, test_size=0.5, random_state=SEED)
scaler = StandardScaler().fit(Xa)
mean, std = ya.mean(), ya.std()
f = lambda a: torch.tensor(a, dtype=torch.float32)
Xa, Xb = f(scaler.transform(Xa)), f(scaler.transform(Xb))
ya, yb = f((ya - mean) / std)[:, None], f((yb - mean) / std)[:, None]

model = nn.Sequential(nn.Linear(65, 32), nn.ReLU(), nn.Linear(32, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=0.3)
watch = dressage.watch(model, optimizer, criterion, train=(Xa, ya), val=(Xb, yb))
for epoch in range(60):
    for rows in torch.randperm(len(Xa)).split(32):
        optimizer.zero_grad()
        loss = criterion(model(Xa[rows]), ya[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, r2_score(yb, model(Xb)))
