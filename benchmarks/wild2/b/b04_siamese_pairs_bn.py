"""A Siamese network: are two digits the same? Pairs are loaded two at a time, BatchNorm after each layer.

cause: optim.bn_small_batch
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, Dataset

images, labels = idx("mnist", "train", 3000)
images = torch.tensor(images, dtype=torch.float32).unsqueeze(1) / 255
labels = torch.tensor(labels)
test_images, test_labels = idx("mnist", "t10k", 1500)
test_images = torch.tensor(test_images, dtype=torch.float32).unsqueeze(1) / 255
test_labels = torch.tensor(test_labels)


class Pairs(Dataset):
    def __init__(self, images, labels, n):
        self.images, self.labels, self.n = images, labels, n
        g = torch.Generator().manual_seed(len(images))
        self.first = torch.randint(len(images), (n,), generator=g)
        self.same = torch.arange(n) % 2
        self.second = torch.empty(n, dtype=torch.long)
        for k in range(n):
            wanted = (labels == labels[self.first[k]]) == bool(self.same[k])
            options = wanted.nonzero().flatten()
            self.second[k] = options[torch.randint(len(options), (1,), generator=g)]

    def __len__(self):
        return self.n

    def __getitem__(self, k):
        return (self.images[self.first[k]], self.images[self.second[k]]), self.same[k].float()


def norm(width):
    return nn.GroupNorm(4, width) if FIX else nn.BatchNorm1d(width)


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(
            nn.Flatten(),
            nn.Linear(784, 64),
            norm(64),
            nn.ReLU(),
            nn.Linear(64, 32),
            norm(32),
            nn.ReLU(),
            nn.Linear(32, 16),
        )
        self.out = nn.Linear(16, 1)

    def forward(self, a, b):
        return self.out((self.embed(a) - self.embed(b)).abs()).squeeze(1)


train_loader = DataLoader(Pairs(images, labels, 3000), batch_size=2, shuffle=True)
test_loader = DataLoader(Pairs(test_images, test_labels, 600), batch_size=200)
net = Siamese()
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
bce = nn.BCEWithLogitsLoss()
watch = dressage.watch(net, opt, bce, train=train_loader, val=test_loader)

net.train()
for (a, b), same in train_loader:
    opt.zero_grad()
    loss = bce(net(a, b), same)
    loss.backward()
    opt.step()
    watch.step(loss)

net.eval()
right = 0
with torch.no_grad():
    for (a, b), same in test_loader:
        right += ((net(a, b) > 0).float() == same).sum().item()
done(watch, right / 600)
