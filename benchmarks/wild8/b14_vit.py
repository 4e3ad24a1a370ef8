"""A tiny vision transformer for MNIST.

cause: eval.preprocess_mismatch
"""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

from kit import FIX, done, dressage, idx


class Digits(Dataset):
    def __init__(self, part, n, transform=None):
        self.images, self.labels = idx("mnist", part, n)
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        image = torch.from_numpy(self.images[i]).float()[None] / 255
        if self.transform is not None:
            image = self.transform(image)
        return image, int(self.labels[i])


def normalize(image):
    return (image - 0.1307) / 0.3081


train_set = Digits("train", 5000, transform=normalize)
test_set = Digits("t10k", 1000, transform=normalize if FIX else None)
train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
test_loader = DataLoader(test_set, batch_size=250)


class ViT(nn.Module):
    def __init__(self, patch=7, dim=48, depth=2, heads=4, classes=10):
        super().__init__()
        self.embed = nn.Conv2d(1, dim, patch, stride=patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos = nn.Parameter(torch.randn(1, 17, dim) * 0.02)
        layer = nn.TransformerEncoderLayer(
            dim, heads, 2 * dim, dropout=0.0, batch_first=True, norm_first=True, activation="gelu"
        )
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.pos
        return self.head(self.norm(self.encoder(x)[:, 0]))


model = ViT()
epochs = 8
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=epochs * len(train_loader))
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=test_loader)

for epoch in range(epochs):
    model.train()
    for image, label in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(image), label)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        watch.step(loss)
    model.eval()
    total, correct = 0.0, 0
    with torch.no_grad():
        for image, label in test_loader:
            out = model(image)
            total += criterion(out, label).item() * len(label)
            correct += (out.argmax(1) == label).sum().item()
    watch.validated(loss=total / len(test_set), metric=correct / len(test_set))
    print(f"epoch {epoch} train {loss.item():.3f} test {total / len(test_set):.3f} acc {correct / len(test_set):.3f}")

done(watch, correct / len(test_set))
