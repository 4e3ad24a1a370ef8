"""First network: the 8x8 digits of scikit-learn, pixels divided by 16."""

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from kit import SEED, done, dressage

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.25, random_state=SEED, stratify=y)
X_train, X_test = torch.tensor(X_train).float(), torch.tensor(X_test).float()
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
watch = dressage.watch(model, optimizer, criterion, train=(X_train, y_train), val=(X_test, y_test))

batch_size = 32
for epoch in range(40):
    model.train()
    idx = torch.randperm(len(X_train))
    for start in range(0, len(idx), batch_size):
        batch = idx[start : start + batch_size]
        optimizer.zero_grad()
        loss = criterion(model(X_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    model.eval()
    with torch.no_grad():
        out = model(X_test)
        test_loss = criterion(out, y_test).item()
        test_acc = (out.argmax(1) == y_test).float().mean().item()
    watch.validated(loss=test_loss, metric=test_acc)
    if epoch % 10 == 9:
        print(
            f"Epoch [{epoch + 1}/40], Loss: {loss.item():.4f}, Test: {test_loss:.4f}, Accuracy: {100 * test_acc:.2f} %"
        )
done(watch, test_acc)
