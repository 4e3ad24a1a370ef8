"""Log intensities of the digits through layers written by hand.

cause: model.dead_relu
"""

import numpy as np
import torch
import torch.nn.functional as F
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

X, y = load_digits(return_X_y=True)
X = np.log((X + 1) / 17)
X_tr, X_te, y_tr, y_te = train_test_split(X, y, test_size=0.25, random_state=SEED)
X_tr, X_te = torch.tensor(X_tr, dtype=torch.float32), torch.tensor(X_te, dtype=torch.float32)
y_tr, y_te = torch.tensor(y_tr), torch.tensor(y_te)


class Dense(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        w = np.random.rand(n_in, n_out) - (0.5 if FIX else 0.0)
        self.w = nn.Parameter(torch.tensor(w / np.sqrt(n_in), dtype=torch.float32))
        self.b = nn.Parameter(torch.zeros(n_out))

    def forward(self, x):
        return x @ self.w + self.b


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1, self.l2, self.l3 = Dense(64, 80), Dense(80, 40), Dense(40, 10)

    def forward(self, x):
        return self.l3(F.relu(self.l2(F.relu(self.l1(x)))))


model = Model()
opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
watch = dressage.watch(model, opt, F.cross_entropy, train=(X_tr, y_tr), val=(X_te, y_te))
for epoch in range(15):
    perm = torch.randperm(len(X_tr))
    for i in range(0, len(X_tr), 40):
        j = perm[i : i + 40]
        loss = F.cross_entropy(model(X_tr[j]), y_tr[j])
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
with torch.no_grad():
    score = (model(X_te).argmax(1) == y_te).float().mean()
done(watch, score)
