"""Tag documents: several of eight tags may apply to each (multi-label).

cause: model.wrong_output_activation
"""

import torch
from kit import FIX, SEED, done, dressage
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

X, Y = make_multilabel_classification(
    n_samples=5000, n_features=60, n_classes=8, n_labels=3, length=80, random_state=SEED
)
X = (X - X.mean(0)) / (X.std(0) + 1e-6)
X_tr, X_va, Y_tr, Y_va = train_test_split(X, Y, test_size=0.25, random_state=SEED)
to = lambda a: torch.tensor(a, dtype=torch.float32)
train_loader = DataLoader(TensorDataset(to(X_tr), to(Y_tr)), batch_size=64, shuffle=True)
val_loader = DataLoader(TensorDataset(to(X_va), to(Y_va)), batch_size=512)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(60, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 8))
        self.activation = nn.Sigmoid() if FIX else nn.Softmax(dim=-1)

    def forward(self, x):
        return self.activation(self.net(x))


model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.BCELoss()


def micro_f1(output, target):
    return f1_score(target.numpy() > 0.5, output.detach().numpy() > 0.5, average="micro", zero_division=0)


watch = dressage.watch(model, optimizer, criterion, train=train_loader, val=val_loader, metric=micro_f1)
for epoch in range(10):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        outs, ys = zip(*[(model(x), y) for x, y in val_loader])
        out, y = torch.cat(outs), torch.cat(ys)
        f1 = micro_f1(out, y)
        watch.validated(loss=criterion(out, y).item(), metric=f1)
        print(f"epoch {epoch} f1 {f1:.3f}")

done(watch, f1)
