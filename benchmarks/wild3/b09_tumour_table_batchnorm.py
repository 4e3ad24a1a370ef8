"""Tumour table as it is measured, scaled by a batch norm at the input.

cause: eval.eval_mode_in_training
"""

import torch
import torch.nn.functional as F
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

X, y = load_breast_cancer(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X, y, test_size=0.3, random_state=SEED, stratify=y)
train = TensorDataset(torch.tensor(Xa).float(), torch.tensor(ya).float())
val = TensorDataset(torch.tensor(Xb).float(), torch.tensor(yb).float())
loader = DataLoader(train, batch_size=32, shuffle=True, drop_last=True)


class Tumour(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(30)
        self.fc1 = nn.Linear(30, 24)
        self.fc2 = nn.Linear(24, 1)

    def forward(self, x):
        return self.fc2(torch.tanh(self.fc1(self.bn(x)))).squeeze(1)


def evaluate(model, data):
    model.eval()
    with torch.no_grad():
        x, y = data.tensors
        logits = model(x)
        return ((logits > 0) == y.bool()).float().mean().item(), roc_auc_score(y, logits)


model = Tumour()
print("before training:", evaluate(model, val))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
watch = dressage.watch(model, optimizer, F.binary_cross_entropy_with_logits, train=train, val=val)
for epoch in range(25):
    if FIX:
        model.train()
    for x, t in loader:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(x), t)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    accuracy, auc = evaluate(model, val)
done(watch, accuracy)
