"""One part in forty is faulty: a table with a binary target.

cause: data.class_imbalance
"""

import torch
import torch.nn as nn
from kit import FIX, SEED, done, dressage
from sklearn.datasets import make_classification
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

X, y = make_classification(
    6000,
    20,
    n_informative=6,
    n_redundant=4,
    n_clusters_per_class=2,
    weights=[0.975],
    class_sep=0.7,
    flip_y=0,
    random_state=SEED + 3,
)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
sc = StandardScaler().fit(X_train)
X_train = torch.tensor(sc.transform(X_train), dtype=torch.float32)
X_val = torch.tensor(sc.transform(X_val), dtype=torch.float32)
y_train = torch.tensor(y_train, dtype=torch.float32).unsqueeze(1)
y_val = torch.tensor(y_val, dtype=torch.float32).unsqueeze(1)

model = nn.Sequential(
    nn.Linear(20, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 1)
)
pos_weight = (y_train == 0).sum() / (y_train == 1).sum() if FIX else torch.tensor(1.0)
criterion = nn.BCEWithLogitsLoss(pos_weight=pos_weight)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=64, shuffle=True)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=(X_val, y_val))
for epoch in range(8):
    model.train()
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(X_val)
        val_loss = criterion(out, y_val).item()
        acc = ((out > 0) == (y_val > 0.5)).float().mean().item()
    watch.validated(loss=val_loss, metric=acc)
done(watch, balanced_accuracy_score(y_val.numpy(), (out > 0).numpy()))
