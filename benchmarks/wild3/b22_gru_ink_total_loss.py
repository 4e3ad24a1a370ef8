"""A GRU tells, row by row, the ink of the row that comes next.

cause: loss.sum_reduction
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def series(part, n):
    x, _ = idx("fashion-mnist", part, n)
    rows = torch.tensor(x).float().mean(2) / 255
    rows = (rows - 0.286) / 0.25
    return TensorDataset(rows[:, :-1, None], rows[:, 1:, None])


class Forecaster(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.readout = nn.Linear(hidden, 1)

    def forward(self, x):
        h, _ = self.gru(x)
        return self.readout(h)


train, val = series("train", 2000), series("t10k", 500)
loader = DataLoader(train, batch_size=50, shuffle=True)
model = Forecaster()
criterion = nn.MSELoss() if FIX else nn.MSELoss(reduction="sum")
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
watch = dressage.watch(model, optimizer, criterion, train=loader, val=DataLoader(val, batch_size=250))
for epoch in range(8):
    for past, following in loader:
        optimizer.zero_grad()
        loss = criterion(model(past), following)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    x, y = val.tensors
    error = (model(x) - y).pow(2).mean().nan_to_num(1e6)
done(watch, max(-5.0, 1 - error / y.var()))
