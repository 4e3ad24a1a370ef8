"""Tell three wine cultivars apart from their chemical analysis.

cause: data.unscaled_inputs
"""

import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

from kit import FIX, SEED, done, dressage

data = load_wine()
X_train, X_test, y_train, y_test = train_test_split(
    data.data, data.target, test_size=0.35, random_state=SEED, stratify=data.target
)
if FIX:
    scaler = StandardScaler().fit(X_train)
    X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)

X_train = torch.tensor(X_train, dtype=torch.float32)
X_test = torch.tensor(X_test, dtype=torch.float32)
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)


class WineNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(13, 24)
        self.fc2 = nn.Linear(24, 3)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


model = WineNet()
opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.5, weight_decay=0.01)
watch = dressage.watch(model, opt)

for epoch in range(200):
    perm = torch.randperm(len(X_train))
    for i in range(0, len(perm), 16):
        rows = perm[i : i + 16]
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(X_train[rows]), y_train[rows])
        loss.backward()
        opt.step()
        watch.step(loss)

model.eval()
with torch.no_grad():
    acc = (model(X_test).argmax(1) == y_test).float().mean()
done(watch, acc)
