"""A small GPT of letters, output weights tied to the embedding.

cause: model.init_too_large
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, sentences

text = "\n".join(line for line, _ in sentences(2400))
chars = sorted(set(text))
data = torch.tensor([chars.index(c) for c in text[:100000]])
train_ids, val_ids = data[:90000], data[90000:]
T, B, C = 32, 16, 96


def get_batch(d, n=B):
    at = torch.randint(len(d) - T - 1, (n,))
    return torch.stack([d[i : i + T] for i in at]), torch.stack([d[i + 1 : i + T + 1] for i in at])


class TinyGPT(nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab, C), nn.Embedding(T, C)
        self.block = nn.TransformerEncoderLayer(C, 4, 2 * C, 0.0, batch_first=True, norm_first=True)
        self.ln_f = nn.LayerNorm(C)
        self.lm_head = nn.Linear(C, vocab, bias=False)
        self.lm_head.weight = self.wte.weight
        if FIX:
            nn.init.normal_(self.wte.weight, std=0.02)
            nn.init.normal_(self.wpe.weight, std=0.02)
        self.register_buffer("mask", torch.full((T, T), float("-inf")).triu(1))

    def forward(self, idx):
        x = self.wte(idx) + self.wpe.weight
        x = self.block(x, src_mask=self.mask)
        return self.lm_head(self.ln_f(x))


def lm_loss(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


model = TinyGPT(len(chars))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
x, y = get_batch(train_ids, 400)
watch = dressage.watch(model, optimizer, lm_loss, train=(x, y), val=get_batch(val_ids, 200))
for step in range(400):
    xb, yb = get_batch(train_ids)
    loss = lm_loss(model(xb), yb)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    watch.step(loss)
with torch.no_grad():
    val = sum(lm_loss(model(a), b).item() for a, b in [get_batch(val_ids, 64) for _ in range(5)]) / 5
done(watch, -val)
