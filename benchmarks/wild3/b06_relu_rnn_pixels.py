"""Digits as a sequence of 64 pixels, a ReLU RNN that starts at the identity.

cause: optim.exploding_gradients
"""

import torch
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.utils import clip_grad_norm_


class PixelRNN(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.rnn = nn.RNN(1, hidden, nonlinearity="relu", batch_first=True)
        nn.init.eye_(self.rnn.weight_hh_l0)
        nn.init.normal_(self.rnn.weight_ih_l0, std=0.1)
        nn.init.zeros_(self.rnn.bias_ih_l0)
        nn.init.zeros_(self.rnn.bias_hh_l0)
        self.head = nn.Linear(hidden, 10)

    def forward(self, x):
        states, h = self.rnn(x.unsqueeze(-1))
        return self.head(h[-1])


x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x, dtype=torch.float32) / 16, torch.tensor(y)
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(SEED))
train, val = (x[order[:1400]], y[order[:1400]]), (x[order[1400:]], y[order[1400:]])
model = PixelRNN()
loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
watch = dressage.watch(model, optimizer, loss_function, train=train, val=val)
for epoch in range(16):
    for rows in torch.randperm(1400).split(32):
        model.zero_grad()
        loss = loss_function(model(train[0][rows]), train[1][rows])
        loss.backward()
        if FIX:
            clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, (model(val[0]).argmax(1) == val[1]).float().mean())
