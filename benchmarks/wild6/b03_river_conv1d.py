"""Tomorrow's level of a river from the last thirty days of three gauges: a 1-D convolution, sixty rounds.

cause: eval.overfit
"""

import numpy as np
import torch
import torch.nn as nn
from kit import FIX, SEED, done, dressage
from sklearn.metrics import r2_score
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(SEED + 10)
days = 900
rain = np.maximum(rng.normal(0, 1, (days, 2)), 0)
level = np.zeros(days)
for i in range(2, days):
    level[i] = 0.85 * level[i - 1] + 0.6 * rain[i - 1, 0] + 0.4 * rain[i - 2, 1] + 1.0 * rng.normal()
data = np.column_stack([level, rain])
data = (data - data[:250].mean(0)) / data[:250].std(0)
W = 30
windows = np.stack([data[i : i + W].T for i in range(days - W)])
X = torch.tensor(windows, dtype=torch.float32)
y = torch.tensor(data[W:, 0], dtype=torch.float32)[:, None]
x_train, y_train, x_val, y_val = X[:160], y[:160], X[260:], y[260:]

model = nn.Sequential(
    nn.Conv1d(3, 32, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(32 * W, 64), nn.ReLU(), nn.Linear(64, 1)
)
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loader = DataLoader(TensorDataset(x_train, y_train), batch_size=16, shuffle=True)
watch = dressage.watch(model, optimizer, loss_fn, train=loader, val=(x_val, y_val))
patience, best, kept = 6, float("inf"), 0.0
bad = 0
for epoch in range(60):
    model.train()
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        pred = model(x_val)
        val_loss = loss_fn(pred, y_val).item()
    r2 = r2_score(y_val.numpy(), pred.numpy())
    watch.validated(loss=val_loss, metric=r2)
    if FIX:
        if val_loss < best:
            best, kept, bad = val_loss, {k: v.clone() for k, v in model.state_dict().items()}, 0
        else:
            bad += 1
        if bad >= patience:
            model.load_state_dict(kept)
            break
with torch.no_grad():
    pred = model(x_val)
done(watch, r2_score(y_val.numpy(), pred.numpy()))
