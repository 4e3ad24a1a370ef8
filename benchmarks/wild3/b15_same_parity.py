"""Are both digits of a pair even or both odd? The two pictures go in side by side.

cause: model.missing_nonlinearity
"""

import torch
import torch.nn.functional as F
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset

x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x).float() / 16, torch.tensor(y)
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(SEED))


class Pairs(Dataset):
    def __init__(self, rows, n):
        self.i, self.j = rows[torch.randint(len(rows), (n,))], rows[torch.randint(len(rows), (n,))]

    def __len__(self):
        return len(self.i)

    def __getitem__(self, k):
        i, j = self.i[k], self.j[k]
        return torch.cat([x[i], x[j]]), ((y[i] + y[j]) % 2 == 0).float()


class PairNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(128, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 1)

    def forward(self, x):
        x = self.fc1(x)
        F.relu(x, inplace=FIX)
        x = self.fc2(x)
        F.relu(x, inplace=FIX)
        return self.fc3(x)[:, 0]


train, val = Pairs(order[:1400], 5000), Pairs(order[1400:], 1000)
loader = DataLoader(train, batch_size=50, shuffle=True)
net = PairNet()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
watch = dressage.watch(net, optimizer, criterion, train=train, val=val)
for epoch in range(10):
    for pairs, same in loader:
        optimizer.zero_grad()
        loss = criterion(net(pairs), same)
        loss.backward()
        optimizer.step()
        watch.step(loss)
right = 0
with torch.no_grad():
    for pairs, same in DataLoader(val, batch_size=200):
        right += ((net(pairs) > 0) == same.bool()).sum().item()
done(watch, right / len(val))
