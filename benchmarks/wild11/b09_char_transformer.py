"""A character-level transformer on lines of documentation.

cause: optim.lr_too_high
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from kit import FIX, done, dressage, sentences

text = "\n".join(s for s, _ in sentences(3000))
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
data = torch.tensor([stoi[c] for c in text])
cut = int(0.9 * len(data))
train_data, val_data = data[:cut], data[cut:]

block_size, batch_size = 32, 24
n_embd, n_head, n_layer = 48, 4, 2
learning_rate = 8e-3 if FIX else 1e-1
max_iters, eval_interval = 500, 100


def get_batch(source):
    ix = torch.randint(len(source) - block_size - 1, (batch_size,))
    return torch.stack([source[i : i + block_size] for i in ix]), torch.stack(
        [source[i + 1 : i + block_size + 1] for i in ix]
    )


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(n_embd), nn.LayerNorm(n_embd)
        self.qkv, self.proj = nn.Linear(n_embd, 3 * n_embd), nn.Linear(n_embd, n_embd)
        self.mlp = nn.Sequential(nn.Linear(n_embd, 4 * n_embd), nn.GELU(), nn.Linear(4 * n_embd, n_embd))
        self.register_buffer("mask", torch.tril(torch.ones(block_size, block_size)) == 0)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (t.view(B, T, n_head, C // n_head).transpose(1, 2) for t in self.qkv(self.ln1(x)).chunk(3, -1))
        att = (q @ k.transpose(-2, -1) / math.sqrt(C // n_head)).masked_fill(self.mask[:T, :T], float("-inf"))
        x = x + self.proj((att.softmax(-1) @ v).transpose(1, 2).reshape(B, T, C))
        return x + self.mlp(self.ln2(x))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok, self.pos = nn.Embedding(len(chars), n_embd), nn.Embedding(block_size, n_embd)
        self.blocks = nn.Sequential(*[Block() for _ in range(n_layer)])
        self.ln, self.head = nn.LayerNorm(n_embd), nn.Linear(n_embd, len(chars))

    def forward(self, ids):
        return self.head(self.ln(self.blocks(self.tok(ids) + self.pos.weight[: ids.shape[1]])))


@torch.no_grad()
def estimate():
    model.eval()
    losses, hits = [], []
    for _ in range(12):
        xb, yb = get_batch(val_data)
        logits = model(xb)
        losses.append(F.cross_entropy(logits.flatten(0, 1), yb.flatten()).item())
        hits.append((logits.argmax(-1) == yb).float().mean().item())
    model.train()
    return sum(losses) / 12, sum(hits) / 12


model = GPT()
optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
watch = dressage.watch(model, optimizer)
for it in range(1, max_iters + 1):
    xb, yb = get_batch(train_data)
    loss = F.cross_entropy(model(xb).flatten(0, 1), yb.flatten())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if it % eval_interval == 0:
        val_loss, val_acc = estimate()
        watch.validated(loss=val_loss, metric=val_acc)

done(watch, val_acc)
