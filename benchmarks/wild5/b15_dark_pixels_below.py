"""How many dark pixels has the lower half of a digit? A count, from the upper half, by Poisson regression.

The score is the share of deviance explained.
cause: model.wrong_output_activation
"""

import torch
import torch.nn as nn
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

X, _ = load_digits(return_X_y=True)
top, count = X[:, :32] / 16, (X[:, 32:] > 8).sum(1)
X_train, X_test, y_train, y_test = train_test_split(
    torch.tensor(top).float(), torch.tensor(count).float().unsqueeze(1), test_size=0.25, random_state=SEED
)


class RateNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(32, 64), nn.Linear(64, 64), nn.Linear(64, 1)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        x = self.fc3(x)
        return nn.functional.softplus(x) if FIX else torch.sigmoid(x)


model = RateNet()
criterion = nn.PoissonNLLLoss(log_input=False)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=(X_train, y_train), val=(X_test, y_test))
for epoch in range(25):
    for rows in torch.randperm(len(X_train)).split(32):
        optimizer.zero_grad()
        loss = criterion(model(X_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)


def deviance(rate):
    return 2 * (torch.xlogy(y_test, y_test / rate) - y_test + rate).mean()


with torch.no_grad():
    done(watch, 1 - deviance(model(X_test)) / deviance(y_train.mean()))
