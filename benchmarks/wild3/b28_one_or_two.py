"""Tumours with the outcome as the hospital codes it, 1 benign and 2 malignant.

cause: model.wrong_output_size
"""

import torch
import torch.nn.functional as F
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

X, y = load_breast_cancer(return_X_y=True)
outcome = 2 - y
X_train, X_val, o_train, o_val = train_test_split(X, outcome, test_size=0.3, random_state=SEED)
scaler = StandardScaler().fit(X_train)
X_train, X_val = torch.tensor(scaler.transform(X_train)).float(), torch.tensor(scaler.transform(X_val)).float()
o_train, o_val = torch.tensor(o_train).float().view(-1, 1), torch.tensor(o_val).float().view(-1, 1)
if FIX:
    o_train, o_val = o_train - 1, o_val - 1

model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
watch = dressage.watch(
    model, optimizer, F.binary_cross_entropy_with_logits, train=(X_train, o_train), val=(X_val, o_val)
)
for epoch in range(25):
    for rows in torch.randperm(len(X_train)).split(20):
        loss = F.binary_cross_entropy_with_logits(model(X_train[rows]), o_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    malignant = model(X_val) > 0
done(watch, (malignant == (o_val == o_val.max())).float().mean())
