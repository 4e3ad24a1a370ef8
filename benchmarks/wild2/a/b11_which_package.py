"""Which of three packages is a line of documentation from: bag of words, one output.

cause: model.wrong_output_size
"""

import re
from collections import Counter

import torch
import torch.nn as nn
from kit import FIX, done, dressage, sentences
from torch.utils.data import DataLoader, TensorDataset

rows = sentences(2400)
words = [re.findall(r"[a-z_]+", text) for text, _ in rows]
vocab = {w: i for i, (w, _) in enumerate(Counter(w for r in words[:2000] for w in r).most_common(1000))}
X = torch.zeros(len(rows), len(vocab))
for i, r in enumerate(words):
    for w in r:
        if w in vocab:
            X[i, vocab[w]] = 1
y = torch.tensor([label for _, label in rows])
n = 2000

if FIX:
    model = nn.Sequential(nn.Linear(1000, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 3))
    criterion = nn.CrossEntropyLoss()
else:
    model = nn.Sequential(nn.Linear(1000, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 1), nn.Flatten(0))
    criterion = nn.BCEWithLogitsLoss()
    y = y.float()
train_loader = DataLoader(TensorDataset(X[:n], y[:n]), batch_size=32, shuffle=True)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=(X[n:], y[n:]))
for epoch in range(6):
    model.train()
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    print(epoch, loss.item())
model.eval()
with torch.no_grad():
    out = model(X[n:])
    guess = out.argmax(1) if FIX else torch.sigmoid(out).round()
done(watch, (guess == y[n:]).float().mean())
