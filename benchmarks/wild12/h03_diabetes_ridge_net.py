"""Disease progression from ten measurements: little data, so a small net with strong regularisation."""

import torch
from kit import SEED, done, dressage
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

X, y = load_diabetes(return_X_y=True, scaled=False)
X_tr, X_va, y_tr, y_va = train_test_split(X, y, test_size=0.3, random_state=7 + SEED)
mx, sx, my, sy = X_tr.mean(0), X_tr.std(0), y_tr.mean(), y_tr.std()
as_t = lambda a: torch.tensor(a, dtype=torch.float32)
X_tr, X_va = as_t((X_tr - mx) / sx), as_t((X_va - mx) / sx)
y_tr, y_va = as_t((y_tr - my) / sy).unsqueeze(1), as_t((y_va - my) / sy).unsqueeze(1)

model = nn.Sequential(nn.Linear(10, 32), nn.Softplus(), nn.Dropout(0.2), nn.Linear(32, 1))
criterion = nn.HuberLoss(delta=1.5)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.3)
loader = DataLoader(TensorDataset(X_tr, y_tr), batch_size=16, shuffle=True)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)


def r2(output, target):
    return 1 - ((output - target) ** 2).sum().item() / ((target - target.mean()) ** 2).sum().item()


watch = dressage.watch(model, optimizer, criterion, train=loader, val=(X_va, y_va), metric=r2)

for epoch in range(40):
    model.train()
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    schedule.step()
    model.eval()
    with torch.no_grad():
        pred = model(X_va)
    watch.validated(loss=criterion(pred, y_va).item(), metric=r2(pred, y_va))
    if epoch % 5 == 4:
        print(epoch, round(r2(pred, y_va), 3))

done(watch, r2(pred, y_va))
