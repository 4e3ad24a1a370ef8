"""A table with a fifth of its values missing: medians of the training rows and flags put in (majority .63)."""

import numpy as np
import torch
from kit import SEED, done, dressage
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x, y = load_breast_cancer(return_X_y=True)
rng = np.random.default_rng(SEED)
x[rng.random(x.shape) < 0.2] = np.nan
xtr, xva, ytr, yva = train_test_split(x, y, test_size=150, random_state=SEED, stratify=y)
pipe = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()).fit(xtr)
xtr, xva = (torch.tensor(pipe.transform(a), dtype=torch.float32) for a in (xtr, xva))
ytr, yva = (torch.tensor(a, dtype=torch.float32).unsqueeze(1) for a in (ytr, yva))

model = nn.Sequential(nn.Linear(xtr.shape[1], 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
loss_fn = nn.BCEWithLogitsLoss()
train, val = TensorDataset(xtr, ytr), TensorDataset(xva, yva)
watch = dressage.watch(model, optimizer, loss_fn, train=train, val=val)
for epoch in range(20):
    model.train()
    for a, b in DataLoader(train, batch_size=32, shuffle=True):
        optimizer.zero_grad()
        loss = loss_fn(model(a), b)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    watch.validating()
    with torch.no_grad():
        out = model(xva)
    watch.validated(loss=loss_fn(out, yva), metric=((out > 0) == (yva > 0)).float().mean())
done(watch, ((out > 0) == (yva > 0)).float().mean())
