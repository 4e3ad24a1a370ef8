"""A character language model over lines of documentation: a small transformer decoder.

cause: optim.lr_too_high
"""

import torch
import torch.nn as nn

from kit import FIX, done, dressage, sentences

text = "\n".join(t for t, _ in sentences(3000))
alphabet = sorted(set(text))
code = {c: i for i, c in enumerate(alphabet)}
stream = torch.tensor([code[c] for c in text])
split = int(len(stream) * 0.9)
CONTEXT, BATCH, WIDTH = 24, 32, 64


def batch(part, n=BATCH):
    start = torch.randint(0, len(part) - CONTEXT - 1, (n,))
    at = start[:, None] + torch.arange(CONTEXT + 1)
    chunk = part[at]
    return chunk[:, :-1], chunk[:, 1:]


class LM(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(len(alphabet), WIDTH)
        self.pos = nn.Parameter(torch.randn(CONTEXT, WIDTH) * 0.02)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 128, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(WIDTH)
        self.out = nn.Linear(WIDTH, len(alphabet))
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(CONTEXT))

    def forward(self, ids):
        h = self.tok(ids) + self.pos
        return self.out(self.norm(self.layers(h, mask=self.mask)))


def loss_fn(output, target):
    return nn.functional.cross_entropy(output.flatten(0, 1), target.flatten())


model = LM()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3 if FIX else 3e-2, weight_decay=0.01)
STEPS = 1200
watch = dressage.watch(model, optimizer)
val_batch = batch(stream[split:], 300)

for step in range(STEPS):
    model.train()
    x, y = batch(stream[:split])
    loss = loss_fn(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if step % 100 == 99:
        model.eval()
        with torch.no_grad():
            out = model(val_batch[0])
        hit = (out.argmax(2) == val_batch[1]).float().mean().item()
        val_loss = loss_fn(out, val_batch[1]).item()
        watch.validated(loss=val_loss, metric=hit)
        print(step, val_loss, hit)

done(watch, hit)
