"""A deep autoencoder of digits whose answers all look alike.

cause: optim.vanishing_gradients
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn

images, _ = idx("mnist", "train", 3000)
held, _ = idx("mnist", "t10k", 500)
images, held = (torch.tensor(a).float().flatten(1) / 255 for a in (images, held))
act = nn.ReLU if FIX else nn.Sigmoid
sizes = [784, 256, 128, 64, 32]
layers = []
for a, b in zip(sizes[:-1], sizes[1:]):
    layers += [nn.Linear(a, b), act()]
for a, b in zip(sizes[:0:-1], sizes[-2::-1]):
    layers += [nn.Linear(a, b), act()]
layers[-1] = nn.Sigmoid()
autoencoder = nn.Sequential(*layers)
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam(autoencoder.parameters(), lr=1e-3)
watch = dressage.watch(autoencoder, optimizer, loss_fn, train=(images, images), val=(held, held))
for epoch in range(10):
    for rows in torch.randperm(len(images)).split(50):
        batch = images[rows]
        optimizer.zero_grad()
        loss = loss_fn(autoencoder(batch), batch)
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    error = loss_fn(autoencoder(held), held)
done(watch, 1 - error / (held - images.mean(0)).pow(2).mean())
