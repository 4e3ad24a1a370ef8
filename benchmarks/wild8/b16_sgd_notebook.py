"""Notebook: how far does plain SGD with momentum come on Fashion-MNIST?

cause: optim.momentum_too_high
"""

# In[1]:
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, idx

# In[2]:
x, y = idx("fashion-mnist", "train", 10000)
x = torch.tensor(x, dtype=torch.float32).view(-1, 784) / 255
x = (x - x.mean()) / x.std()
y = torch.tensor(y)
train_dl = DataLoader(TensorDataset(x[:9000], y[:9000]), batch_size=64, shuffle=True)
val_dl = DataLoader(TensorDataset(x[9000:], y[9000:]), batch_size=500)

# In[3]:
lr, momentum, n_epochs = 0.01, (0.9 if FIX else 0.99), 5
model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
opt = optim.SGD(model.parameters(), lr=lr, momentum=momentum)
loss_fn = nn.CrossEntropyLoss()


# In[4]:
def evaluate():
    model.eval()
    with torch.no_grad():
        pairs = [(model(xb), yb) for xb, yb in val_dl]
    out, target = (torch.cat(t) for t in zip(*pairs))
    return loss_fn(out, target).item(), (out.argmax(1) == target).float().mean().item()


# In[5]:
watch = dressage.watch(model, opt, loss_fn, train=train_dl, val=val_dl)
losses = []
for epoch in range(n_epochs):
    model.train()
    for xb, yb in train_dl:
        loss = loss_fn(model(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        watch.step(loss)
        losses.append(loss.item())
    val_loss, val_acc = evaluate()
    watch.validated(loss=val_loss, metric=val_acc)
    print(epoch, sum(losses[-141:]) / 141, val_loss, val_acc)

# In[6]:
done(watch, val_acc)
