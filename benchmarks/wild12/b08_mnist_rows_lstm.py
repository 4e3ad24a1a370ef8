"""Read handwritten digits row by row with an LSTM.

cause: optim.lr_too_high
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx

xtr, ytr = idx("mnist", "train", 5000)
xte, yte = idx("mnist", "t10k", 1000)
xtr = (torch.tensor(xtr, dtype=torch.float) / 255 - 0.13) / 0.31
xte = (torch.tensor(xte, dtype=torch.float) / 255 - 0.13) / 0.31
ytr, yte = torch.tensor(ytr), torch.tensor(yte)


class RowReader(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.lstm = nn.LSTM(28, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 10)

    def forward(self, rows):
        _, (h, _) = self.lstm(rows)
        return self.fc(h[-1])


model = RowReader()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003 if FIX else 0.05)
loss_function = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer)

for epoch in range(10):
    perm = torch.randperm(5000)
    for batch in perm.split(50):
        model.zero_grad()
        loss = loss_function(model(xtr[batch]), ytr[batch])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    with torch.no_grad():
        logits = model(xte)
        correct = (logits.argmax(1) == yte).float().mean().item()
    watch.validated(loss=loss_function(logits, yte).item(), metric=correct)
    print(epoch, correct)

done(watch, correct)
