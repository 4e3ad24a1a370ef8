"""Recognise spoken vowels in short clips (sound made from formants), tested clip by clip as on the device.

cause: eval.train_mode_at_eval
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, SEED, done, dressage

rng = np.random.default_rng(SEED)
RATE, N = 8000, 2048
FORMANTS = [(730, 1090), (530, 1840), (390, 1990), (570, 840), (440, 1020), (300, 870), (640, 1190), (490, 1350)]


def clip(k):
    t = np.arange(N) / RATE
    pitch = rng.uniform(90, 240) * (1 + 0.05 * rng.normal() * t)
    f1, f2 = np.array(FORMANTS[k]) * rng.normal(1, 0.06, 2)
    sound = np.zeros(N)
    for h in range(1, 16):
        f = h * pitch.mean()
        gain = 1 / (1 + ((f - f1) / 90) ** 2) + 0.7 / (1 + ((f - f2) / 120) ** 2)
        sound += gain * np.sin(2 * np.pi * h * pitch * t + rng.uniform(0, 6.28))
    return sound * rng.uniform(0.3, 1) + rng.normal(0, 0.25, N)


def spectrogram(waves):
    spec = torch.stft(
        torch.tensor(waves, dtype=torch.float32), 128, 64, window=torch.hann_window(128), return_complex=True
    )
    return (spec.abs() + 1e-3).log()


labels = rng.integers(0, 8, 2000)
features = spectrogram(np.stack([clip(k) for k in labels]))
labels = torch.tensor(labels)
train_x, val_x, train_y, val_y = features[:1500], features[1500:], labels[:1500], labels[1500:]
center, spread = train_x.mean((0, 2), keepdim=True), train_x.std((0, 2), keepdim=True)
train_x, val_x = (train_x - center) / spread, (val_x - center) / spread
train_loader = DataLoader(TensorDataset(train_x, train_y), batch_size=32, shuffle=True)
val_loader = DataLoader(TensorDataset(val_x, val_y), batch_size=1)

model = nn.Sequential(
    nn.Conv1d(65, 48, 3, padding=1),
    nn.BatchNorm1d(48),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.MaxPool1d(2),
    nn.Conv1d(48, 48, 3, padding=1),
    nn.BatchNorm1d(48),
    nn.ReLU(),
    nn.AdaptiveAvgPool1d(1),
    nn.Flatten(),
    nn.Dropout(0.4),
    nn.Linear(48, 8),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader)

for epoch in range(10):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    if FIX:
        model.eval()
    total, right = 0.0, 0
    with torch.no_grad():
        for x, y in val_loader:
            out = model(x)
            total += criterion(out, y).item()
            right += int(out.argmax(1) == y)
    watch.validated(loss=total / len(val_y), metric=right / len(val_y))

done(watch, right / len(val_y))
