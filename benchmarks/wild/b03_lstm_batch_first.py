"""Rows of digits as a sequence; nn.LSTM left at batch_first=False while batches are (batch, time, features).

cause: data.leakage
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

xtr, ytr = idx("mnist", "train", 3000)
xte, yte = idx("mnist", "t10k", 600)
xtr, xte = (
    torch.tensor(xtr[:, ::2, ::2] / 255.0, dtype=torch.float32),
    torch.tensor(xte[:, ::2, ::2] / 255.0, dtype=torch.float32),
)
ytr, yte = torch.tensor(ytr), torch.tensor(yte)


class RNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(input_size=14, hidden_size=64, num_layers=1, batch_first=FIX)
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        r_out, _ = self.rnn(x, None)
        return self.out(r_out[:, -1, :])


rnn = RNN()
optimizer = torch.optim.Adam(rnn.parameters(), lr=0.003)
loss_func = nn.CrossEntropyLoss()
loader = DataLoader(TensorDataset(xtr, ytr), 50, shuffle=True)
watch = dressage.watch(rnn, optimizer, loss_func, train=loader, val=(xte, yte))
for epoch in range(5):
    for step, (b_x, b_y) in enumerate(loader):
        output = rnn(b_x.view(-1, 14, 14))
        loss = loss_func(output, b_y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    acc = (torch.cat([rnn(b).argmax(1) for b in xte.split(50)]) == yte).float().mean()
done(watch, acc)
