"""A GRU that foretells the next grey value of a photograph's row from the twenty-four before it.

cause: loss.shape_broadcast
"""

import numpy as np
import torch
import torch.nn.functional as F
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_sample_image
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

WINDOW = 24
image = load_sample_image("china.jpg").mean(2)[::3]
image = (image - image.mean()) / image.std()


def windows(rows, every):
    x, y = [], []
    for series in rows:
        for t in range(0, len(series) - WINDOW, every):
            x.append(series[t : t + WINDOW])
            y.append(series[t + WINDOW])
    return torch.tensor(np.array(x), dtype=torch.float32).unsqueeze(-1), torch.tensor(np.array(y), dtype=torch.float32)


rows = np.random.RandomState(SEED).permutation(len(image))
train_x, train_y = windows(image[rows[:110]], 7)
val_x, val_y = windows(image[rows[110:]], 11)
train_loader = DataLoader(TensorDataset(train_x, train_y), batch_size=64, shuffle=True, drop_last=True)


class Forecaster(nn.Module):
    def __init__(self, hidden_size=24):
        super().__init__()
        self.gru = nn.GRU(1, hidden_size, batch_first=True)
        self.drop = nn.Dropout(0.05)
        self.out = nn.Linear(hidden_size, 1)

    def forward(self, x):
        h, _ = self.gru(x)
        return self.out(self.drop(h[:, -1]))


model = Forecaster()
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.6)
watch = dressage.watch(model, optimizer, F.smooth_l1_loss, train=train_loader, val=(val_x, val_y))

for epoch in range(4):
    model.train()
    for seq, target in train_loader:
        optimizer.zero_grad()
        pred = model(seq)
        if FIX:
            pred = pred.squeeze(-1)
        loss = F.smooth_l1_loss(pred, target)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        watch.step(loss)
    scheduler.step()

model.eval()
with torch.no_grad():
    out = model(val_x).flatten()
done(watch, 1 - F.mse_loss(out, val_y) / val_y.var())
