"""A plain tanh RNN that reads digits line by line, weights drawn as in a lecture.

cause: model.saturated_activation model.init_too_large
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class RNNClassifier(nn.Module):
    def __init__(self, n_inputs=28, n_hidden=96, n_classes=10):
        super().__init__()
        self.rnn = nn.RNN(n_inputs, n_hidden, batch_first=True)
        self.fc = nn.Linear(n_hidden, n_classes)
        for name, p in self.rnn.named_parameters():
            if "weight" in name and not FIX:
                nn.init.normal_(p, mean=0.0, std=1.0)

    def forward(self, x):
        out, _ = self.rnn(x)
        return self.fc(out[:, -1])


def load(part, n):
    x, y = idx("mnist", part, n)
    return TensorDataset(torch.tensor(x).float() / 255, torch.tensor(y))


train_ds, val_ds = load("train", 4000), load("t10k", 800)
train_dl, val_dl = DataLoader(train_ds, 64, shuffle=True), DataLoader(val_ds, 200)
net = RNNClassifier()
loss_fn = nn.CrossEntropyLoss()
optim = torch.optim.Adam(net.parameters(), lr=1e-3)
watch = dressage.watch(net, optim, loss_fn, train=train_dl, val=val_dl)
for epoch in range(6):
    for xb, yb in train_dl:
        optim.zero_grad()
        loss = loss_fn(net(xb), yb)
        loss.backward()
        optim.step()
        watch.step(loss)
with torch.no_grad():
    correct = sum((net(xb).argmax(1) == yb).sum().item() for xb, yb in val_dl)
done(watch, correct / len(val_ds))
