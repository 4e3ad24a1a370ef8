"""An LSTM cell written from the formulas, reading the rows of small digits.

cause: model.symmetric_init
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset


class MyLSTM(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.h = hidden_size

        def weight(*shape):
            if FIX:
                return nn.Parameter(torch.randn(*shape) * 0.1)
            return nn.Parameter(torch.full(shape, 0.1))

        self.W_f, self.U_f, self.b_f = (
            weight(input_size, hidden_size),
            weight(hidden_size, hidden_size),
            nn.Parameter(torch.ones(hidden_size)),
        )
        self.W_i, self.U_i, self.b_i = (
            weight(input_size, hidden_size),
            weight(hidden_size, hidden_size),
            nn.Parameter(torch.zeros(hidden_size)),
        )
        self.W_o, self.U_o, self.b_o = (
            weight(input_size, hidden_size),
            weight(hidden_size, hidden_size),
            nn.Parameter(torch.zeros(hidden_size)),
        )
        self.W_c, self.U_c, self.b_c = (
            weight(input_size, hidden_size),
            weight(hidden_size, hidden_size),
            nn.Parameter(torch.zeros(hidden_size)),
        )
        self.W_y, self.b_y = weight(hidden_size, 10), nn.Parameter(torch.zeros(10))

    def forward(self, x):
        h = c = torch.zeros(x.shape[0], self.h)
        for t in range(x.shape[1]):
            x_t = x[:, t]
            f = torch.sigmoid(x_t @ self.W_f + h @ self.U_f + self.b_f)
            i = torch.sigmoid(x_t @ self.W_i + h @ self.U_i + self.b_i)
            o = torch.sigmoid(x_t @ self.W_o + h @ self.U_o + self.b_o)
            c = f * c + i * torch.tanh(x_t @ self.W_c + h @ self.U_c + self.b_c)
            h = o * torch.tanh(c)
        return h @ self.W_y + self.b_y


def load(part, n):
    x, y = idx("mnist", part, n)
    x = F.avg_pool2d(torch.tensor(x).float().unsqueeze(1) / 255, 2).squeeze(1)
    return x, torch.tensor(y)


train, test = load("train", 2000), load("t10k", 600)
loader = DataLoader(TensorDataset(*train), batch_size=32, shuffle=True)
model = MyLSTM(14, 32)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
watch = dressage.watch(model, optimizer, F.cross_entropy, train=loader, val=test)
for epoch in range(5):
    for xb, yb in loader:
        loss = F.cross_entropy(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    done(watch, (model(test[0]).argmax(1) == test[1]).float().mean())
