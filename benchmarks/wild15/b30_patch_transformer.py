"""A small vision transformer (7x7 patches) on a part of MNIST.

cause: optim.lr_too_high
"""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx


class PatchTransformer(nn.Module):
    def __init__(self, dim=48, depth=2, heads=4, classes=10):
        super().__init__()
        self.embed = nn.Linear(49, dim)
        self.pos = nn.Parameter(torch.randn(1, 16, dim) * 0.5)
        layer = nn.TransformerEncoderLayer(dim, heads, 2 * dim, dropout=0.0, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(16 * dim, classes)

    def forward(self, img):
        patches = img.unfold(1, 7, 7).unfold(2, 7, 7).reshape(len(img), 16, 49)
        tokens = self.embed(patches) + self.pos
        return self.head(self.norm(self.encoder(tokens)).flatten(1))


def get_loaders(batch_size):
    xa, ya = idx("mnist", "train", 4000)
    xb, yb = idx("mnist", "t10k", 1500)
    mean, std = xa.mean() / 255, xa.std() / 255
    to = lambda a: (torch.from_numpy(a).float() / 255 - mean) / std
    train = TensorDataset(to(xa), torch.from_numpy(ya))
    test = TensorDataset(to(xb), torch.from_numpy(yb))
    return DataLoader(train, batch_size=batch_size, shuffle=True), DataLoader(test, batch_size=500)


def acc_fn(logits, labels):
    return (logits.argmax(-1) == labels).float().mean().item()


def run(epochs=8, batch_size=32, lr=1e-3 if FIX else 1e-2):
    train_loader, test_loader = get_loaders(batch_size)
    model = PatchTransformer()
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    watch = dressage.watch(model, optimizer, loss_fn, train=train_loader, val=test_loader, metric=acc_fn)
    for epoch in range(epochs):
        model.train()
        seen = 0.0
        for img, label in train_loader:
            loss = loss_fn(model(img), label)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
            seen += loss.item() / len(train_loader)
        model.eval()
        val_loss = val_acc = 0.0
        with torch.no_grad():
            for img, label in test_loader:
                out = model(img)
                val_loss += loss_fn(out, label).item() / len(test_loader)
                val_acc += acc_fn(out, label) / len(test_loader)
        print(f"epoch {epoch}: train {seen:.4f} val {val_loss:.4f} acc {val_acc:.4f}")
        watch.validated(loss=val_loss, metric=val_acc)
    return watch, val_acc


watch, score = run()
done(watch, score)
