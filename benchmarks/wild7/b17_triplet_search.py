"""Find similar clothes: an embedding trained with the triplet loss, judged by nearest neighbours.

cause: model.bottleneck
"""

import numpy as np
import torch
from kit import FIX, done, dressage, idx
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

EMBEDDING = 32 if FIX else 2

x, y = idx("fashion-mnist", "train", 4000)
x_test, y_test = idx("fashion-mnist", "t10k", 1000)
x = torch.tensor(x / 255.0, dtype=torch.float32).flatten(1) - 0.286
x_test = torch.tensor(x_test / 255.0, dtype=torch.float32).flatten(1) - 0.286
groups = [np.flatnonzero(y == k) for k in range(10)]


class Embed(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, dim))

    def forward(self, x):
        return self.net(x)


def sample(n):
    a = np.random.randint(0, len(y), n)
    p = np.array([np.random.choice(groups[y[i]]) for i in a])
    other = (y[a] + np.random.randint(1, 10, n)) % 10
    q = np.array([np.random.choice(groups[k]) for k in other])
    return x[a], x[p], x[q]


def search_accuracy(model):
    model.eval()
    with torch.no_grad():
        knn = KNeighborsClassifier(10).fit(model(x).numpy(), y)
        return knn.score(model(x_test).numpy(), y_test)


model = Embed(EMBEDDING)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
triplet = nn.TripletMarginLoss(margin=1.0)
watch = dressage.watch(model, optimizer)

for step in range(1, 901):
    model.train()
    anchor, positive, negative = sample(96)
    loss = triplet(model(anchor), model(positive), model(negative))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if step % 150 == 0:
        acc = search_accuracy(model)
        watch.validated(metric=acc)
        print(f"step {step} loss {loss.item():.3f} 10-NN accuracy {acc:.3f}")

done(watch, acc)
