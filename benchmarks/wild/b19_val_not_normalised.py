"""Two transforms: the one for training normalises, the one for validation was copied from an older script and does
not.

cause: eval.preprocess_mismatch
"""

import torch
import torch.nn as nn
from kit import FIX, cifar, done, dressage
from torch.utils.data import DataLoader, Dataset


class Normalize:
    def __init__(self, m, s):
        self.m, self.s = torch.tensor(m).view(3, 1, 1), torch.tensor(s).view(3, 1, 1)

    def __call__(self, x):
        return (x - self.m) / self.s


to_tensor = lambda a: torch.from_numpy(a).permute(2, 0, 1).float() / 255
norm = Normalize([0.49, 0.48, 0.45], [0.08, 0.08, 0.08])


class Pictures(Dataset):
    def __init__(self, x, y, transforms):
        self.x, self.y, self.transforms = x, y, transforms

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        img = self.x[i]
        for t in self.transforms:
            img = t(img)
        return img, self.y[i]


xa, ya, xb, yb = cifar(3000, 800)
train_tf, val_tf = [to_tensor, norm], [to_tensor, norm] if FIX else [to_tensor]
tl, vl = DataLoader(Pictures(xa, ya, train_tf), 50, True), DataLoader(Pictures(xb, yb, val_tf), 100)
net = nn.Sequential(
    nn.Conv2d(3, 16, 3, 2, 1),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, 2, 1),
    nn.ReLU(),
    nn.Conv2d(32, 32, 3, 2, 1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(512, 10),
)
ce = nn.CrossEntropyLoss()
opt = torch.optim.Adam(net.parameters(), 1e-3)
watch = dressage.watch(net, opt, ce, train=tl, val=vl)
for ep in range(6):
    net.train()
    for x, y in watch.batches(tl):
        opt.zero_grad()
        loss = ce(net(x), y)
        loss.backward()
        opt.step()
        watch.step(loss)
    net.eval()
    watch.validating()
    with torch.no_grad():
        o = torch.cat([net(x) for x, _ in vl])
        t = torch.tensor(yb)
    acc = (o.argmax(1) == t).float().mean().item()
    watch.validated(loss=ce(o, t).item(), metric=acc)
    print(ep, loss.item(), acc)
done(watch, acc)
