"""Find the four in a hundred machines that will fail, from sensor readings; weighted loss, average precision."""

import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import SEED, done, dressage

x, y = make_classification(
    9000,
    16,
    n_informative=7,
    n_redundant=4,
    n_clusters_per_class=3,
    weights=[0.96],
    flip_y=0.004,
    class_sep=1.4,
    random_state=70 + SEED,
)
xa, xb, ya, yb = train_test_split(
    x.astype(np.float32), y.astype(np.float32)[:, None], test_size=0.3, stratify=y, random_state=SEED
)
mean, std = xa.mean(0), xa.std(0)
xa, xb = (xa - mean) / std, (xb - mean) / std
train = DataLoader(TensorDataset(torch.from_numpy(xa), torch.from_numpy(ya)), batch_size=128, shuffle=True)
val = DataLoader(TensorDataset(torch.from_numpy(xb), torch.from_numpy(yb)), batch_size=512)

model = nn.Sequential(
    nn.Linear(16, 64),
    nn.BatchNorm1d(64),
    nn.ReLU(),
    nn.Dropout(0.15),
    nn.Linear(64, 32),
    nn.BatchNorm1d(32),
    nn.ReLU(),
    nn.Linear(32, 1),
)
loss_fn = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(5.0))
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
EPOCHS = 12
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
precision = lambda output, target: float(average_precision_score(target.numpy().ravel(), output.numpy().ravel()))
watch = dressage.watch(model, optimizer, loss_fn, train=train, val=val, metric=precision)

for epoch in range(EPOCHS):
    model.train()
    for a, b in train:
        optimizer.zero_grad()
        loss = loss_fn(model(a), b)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    model.eval()
    with torch.no_grad():
        out = torch.cat([model(a) for a, _ in val])
    target = torch.from_numpy(yb)
    watch.validated(loss=loss_fn(out, target).item(), metric=precision(out, target))
    print(epoch, loss_fn(out, target).item(), precision(out, target))

done(watch, precision(out, target))
