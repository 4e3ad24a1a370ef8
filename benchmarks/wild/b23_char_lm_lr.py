"""A little GPT of characters with Adam at 0.05.

cause: optim.lr_too_high
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, sentences

text = "\n".join(t for t, _ in sentences(2400))
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
data = torch.tensor([stoi[c] for c in text])
n = int(0.9 * len(data))
train_data, val_data = data[:n], data[n:]
block_size, batch_size, n_embd = 32, 16, 32


def get_batch(split):
    d = train_data if split == "train" else val_data
    ix = torch.randint(len(d) - block_size, (batch_size,))
    return torch.stack([d[i : i + block_size] for i in ix]), torch.stack([d[i + 1 : i + block_size + 1] for i in ix])


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok, self.pos = nn.Embedding(len(chars), n_embd), nn.Embedding(block_size, n_embd)
        self.blocks = nn.ModuleList(
            [
                nn.TransformerEncoderLayer(n_embd, 4, 4 * n_embd, 0.0, batch_first=True, norm_first=True)
                for _ in range(2)
            ]
        )
        self.ln, self.head = nn.LayerNorm(n_embd), nn.Linear(n_embd, len(chars))
        self.register_buffer("mask", torch.triu(torch.full((block_size, block_size), float("-inf")), 1))

    def forward(self, idx, targets=None):
        x = self.tok(idx) + self.pos(torch.arange(idx.shape[1]))
        for b in self.blocks:
            x = b(x, src_mask=self.mask)
        logits = self.head(self.ln(x))
        loss = None if targets is None else F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
        return logits, loss


model = GPT()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3 if FIX else 0.1)
watch = dressage.watch(model, optimizer)
for it in range(350):
    xb, yb = get_batch("train")
    logits, loss = model(xb, yb)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    watch.step(loss)
with torch.no_grad():
    val = sum(model(*get_batch("val"))[1].item() for _ in range(20)) / 20
done(watch, -val)
