"""LeNet on MNIST with SGD, momentum and a step schedule (lecture notebook)."""

# %%
import torch
import torch.nn as nn
import torch.nn.functional as F

from kit import done, dressage, idx

# %%
Xtr, Ytr = idx("mnist", "train", 6000)
Xte, Yte = idx("mnist", "t10k", 2000)
Xtr, Xte = [torch.tensor(a, dtype=torch.float32)[:, None] / 255 for a in (Xtr, Xte)]
Ytr, Yte = torch.tensor(Ytr), torch.tensor(Yte)
print(Xtr.shape, Ytr.bincount())


# %%
class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5, padding=2)
        self.c2 = nn.Conv2d(6, 16, 5)
        self.f1 = nn.Linear(400, 120)
        self.f2 = nn.Linear(120, 84)
        self.f3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.c1(x)), 2)
        x = F.max_pool2d(F.relu(self.c2(x)), 2)
        x = F.relu(self.f1(x.view(len(x), -1)))
        return self.f3(F.relu(self.f2(x)))


# %%
model = LeNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9, nesterov=True, weight_decay=5e-4)
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [5, 7], 0.2)
watch = dressage.watch(model, optimizer, F.cross_entropy, train=(Xtr, Ytr), val=(Xte, Yte))

# %%
for epoch in range(8):
    model.train()
    order = torch.randperm(len(Xtr))
    running = 0
    for k in range(0, len(Xtr), 50):
        batch = order[k : k + 50]
        optimizer.zero_grad()
        loss = F.cross_entropy(model(Xtr[batch]), Ytr[batch])
        loss.backward()
        optimizer.step()
        watch.step(loss)
        running += loss.item()
    scheduler.step()
    model.eval()
    with torch.no_grad():
        logits = model(Xte)
        acc = (logits.argmax(1) == Yte).float().mean().item()
    watch.validated(loss=F.cross_entropy(logits, Yte).item(), metric=acc)
    print(f"{epoch}: train {running / 120:.3f}, test accuracy {acc:.4f}")

# %%
done(watch, acc)
