"""Images are read by their number, labels from a dictionary of file names.

cause: data.shuffled_labels
"""

import torch
import torch.nn as nn
from kit import FIX, done, dressage, idx

images, digits = idx("mnist", "train", 3000)
annotations = {f"img_{i}.png": int(d) for i, d in enumerate(digits)}

x_train = torch.tensor(images).float().div(255).flatten(1)
names = list(annotations) if FIX else sorted(annotations)
y_train = torch.tensor([annotations[name] for name in names])

images, digits = idx("mnist", "t10k", 1000)
x_test, y_test = torch.tensor(images).float().div(255).flatten(1), torch.tensor(digits)

model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=(x_train, y_train), val=(x_test, y_test))

for epoch in range(15):
    for batch in torch.randperm(len(x_train)).split(50):
        optimizer.zero_grad()
        out = model(x_train[batch])
        loss = criterion(out, y_train[batch])
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    acc = (model(x_test).argmax(1) == y_test).float().mean().item()
done(watch, acc)
