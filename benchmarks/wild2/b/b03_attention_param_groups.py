"""A hand-written transformer over the rows of Fashion pictures; AdamW with and without decay, by the parameters' names.

cause: optim.frozen_params
"""

import math

import torch
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch import nn

x, y = idx("fashion-mnist", "train", 4000)
x = torch.tensor(x, dtype=torch.float32).div(255).sub(0.286).div(0.353)
y = torch.tensor(y)
xt, yt = idx("fashion-mnist", "t10k", 1000)
xt = torch.tensor(xt, dtype=torch.float32).div(255).sub(0.286).div(0.353)
yt = torch.tensor(yt)


def param(*shape):
    return nn.Parameter(torch.randn(*shape) / math.sqrt(shape[0]))


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.w_q, self.w_k, self.w_v, self.w_o = param(d, d), param(d, d), param(d, d), param(d, d)

    def forward(self, h):
        b, t, d = h.shape
        q, k, v = ((h @ w).view(b, t, self.heads, -1).transpose(1, 2) for w in (self.w_q, self.w_k, self.w_v))
        a = (q @ k.transpose(-2, -1) / math.sqrt(d // self.heads)).softmax(-1)
        return (a @ v).transpose(1, 2).reshape(b, t, d) @ self.w_o


class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attn = Attention(d, heads)
        self.w_up, self.w_down = param(d, 2 * d), param(2 * d, d)

    def forward(self, h):
        h = h + self.attn(self.norm1(h))
        return h + F.gelu(self.norm2(h) @ self.w_up) @ self.w_down


class RowTransformer(nn.Module):
    def __init__(self, d=32, depth=2, heads=4):
        super().__init__()
        self.w_in = param(28, d)
        self.pos = nn.Parameter(torch.randn(28, d) * 0.1)
        self.blocks = nn.ModuleList(Block(d, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, 10)

    def forward(self, rows):
        h = rows @ self.w_in + self.pos
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h.mean(1)))


model = RowTransformer()
named = list(model.named_parameters())
no_decay = [p for n, p in named if "norm" in n or n.endswith("bias")]
decay = [p for n, p in named if n.endswith("weight") and "norm" not in n]
if FIX:
    kept = {id(p) for p in no_decay}
    decay = [p for _, p in named if id(p) not in kept]
optimizer = torch.optim.AdamW(
    [{"params": decay, "weight_decay": 0.01}, {"params": no_decay, "weight_decay": 0.0}], lr=2e-3
)
criterion = nn.CrossEntropyLoss()
watch = dressage.watch(model, optimizer, criterion, train=(x, y), val=(xt, yt))

for epoch in range(5):
    model.train()
    for rows in torch.randperm(len(x)).split(50):
        loss = criterion(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)

model.eval()
with torch.no_grad():
    done(watch, (model(xt).argmax(1) == yt).float().mean())
