"""A VAE as in the PyTorch examples: BCE summed over pixels and rows plus KL, a loss of thousands."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage, idx
from torch.utils.data import DataLoader

x = torch.tensor(idx("mnist", "train", 3000)[0]).float().view(-1, 784) / 255


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 200)
        self.fc21 = nn.Linear(200, 10)
        self.fc22 = nn.Linear(200, 10)
        self.fc3 = nn.Linear(10, 200)
        self.fc4 = nn.Linear(200, 784)

    def forward(self, x):
        h = F.relu(self.fc1(x))
        mu, logvar = self.fc21(h), self.fc22(h)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z)))), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    return F.binary_cross_entropy(recon_x, x, reduction="sum") - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loader = DataLoader(x[:2500], 64, shuffle=True)
watch = dressage.watch(model, optimizer, train=loader)
first = None
for epoch in range(8):
    model.train()
    for data in loader:
        optimizer.zero_grad()
        recon, mu, logvar = model(data)
        loss = loss_function(recon, data, mu, logvar)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    v = loss_function(*((lambda r: (r[0], x[2500:], r[1], r[2]))(model(x[2500:])))) / 500
done(watch, -v)
