"""A picture of clothes and a question (is it one of these two classes?): the question scales and shifts the channels."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage, idx
from torch.utils.data import DataLoader, Dataset


class Questions(Dataset):
    def __init__(self, part, n):
        x, y = idx("fashion-mnist", part, n)
        self.x, self.y = torch.tensor(x).float().unsqueeze(1) / 255, torch.tensor(y)
        a = torch.where(torch.rand(n) < 0.5, self.y, torch.randint(10, (n,)))
        self.ask = torch.stack([a, torch.randint(10, (n,))], 1)
        self.answer = (self.ask == self.y[:, None]).any(1).float()

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.ask[i], self.answer[i]


class FiLM(nn.Module):
    def __init__(self, c=24):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, c, 4, stride=4), nn.Conv2d(c, c, 3, padding=1)
        self.norm = nn.BatchNorm2d(c, affine=False)
        self.word = nn.Embedding(10, 16)
        self.gamma_beta = nn.Linear(16, 2 * c)
        self.fc1, self.fc2 = nn.Linear(c * 9, 48), nn.Linear(48, 1)

    def forward(self, image, ask):
        g, b = self.gamma_beta(self.word(ask).sum(1)).chunk(2, 1)
        h = self.norm(self.conv2(F.relu(self.conv1(image))))
        h = F.relu((1 + g[..., None, None]) * h + b[..., None, None])
        return self.fc2(F.relu(self.fc1(F.max_pool2d(h, 2).flatten(1)))).squeeze(1)


train, test = Questions("train", 6000), Questions("t10k", 1000)
loader = DataLoader(train, 64, shuffle=True)
model = FiLM()
optimizer = torch.optim.Adam(
    [
        {"params": [p for n, p in model.named_parameters() if not n.startswith("word")]},
        {"params": model.word.parameters(), "lr": 1e-2},
    ],
    lr=2e-3,
)
sched = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=[4e-3, 2e-2], total_steps=8 * len(loader))
watch = dressage.watch(model, optimizer, F.binary_cross_entropy_with_logits)
for epoch in range(8):
    model.train()
    for image, ask, answer in loader:
        loss = F.binary_cross_entropy_with_logits(model(image, ask), answer)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        sched.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    done(watch, ((model(test.x, test.ask) > 0) == (test.answer > 0)).float().mean())
