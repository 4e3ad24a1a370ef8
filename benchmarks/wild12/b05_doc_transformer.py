"""Tell from one line of documentation which library it belongs to, with a tiny transformer.

cause: optim.lr_too_low
"""

from collections import Counter

import torch
from kit import FIX, done, dressage, sentences
from torch import nn

rows = sentences(4500)
split = int(len(rows) * 0.8)
words = Counter(w for text, _ in rows[:split] for w in text.rstrip(".").split())
vocab = {w: i + 2 for i, (w, c) in enumerate(words.most_common(6000)) if c > 1}
LEN = 16


def encode(text):
    ids = [vocab.get(w, 1) for w in text.rstrip(".").split()][:LEN]
    return ids + [0] * (LEN - len(ids))


X = torch.tensor([encode(t) for t, _ in rows])
Y = torch.tensor([k for _, k in rows])
Xtr, Ytr, Xva, Yva = X[:split], Y[:split], X[split:], Y[split:]


class TinyTransformer(nn.Module):
    def __init__(self, n_vocab, d=48, heads=4, classes=3):
        super().__init__()
        self.tok = nn.Embedding(n_vocab, d, padding_idx=0)
        nn.init.normal_(self.tok.weight, std=0.05)
        self.pos = nn.Parameter(torch.randn(LEN, d) * 0.02)
        layer = nn.TransformerEncoderLayer(d, heads, 96, dropout=0.2, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.drop = nn.Dropout(0.4)
        self.head = nn.Linear(d, classes)

    def forward(self, ids):
        pad = ids == 0
        h = self.encoder(self.tok(ids) + self.pos, src_key_padding_mask=pad)
        h = h.masked_fill(pad.unsqueeze(-1), 0).sum(1) / (~pad).sum(1, keepdim=True).clamp(min=1)
        return self.head(self.drop(h))


model = TinyTransformer(len(vocab) + 2)
loss_fn = nn.CrossEntropyLoss()
LEARNING_RATE = 2e-3 if FIX else 2e-5
optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.05)
EPOCHS, BATCH = 6, 32


def metric(output, target):
    return (output.argmax(1) == target).double().mean().item()


watch = dressage.watch(model, optimizer, loss_fn, train=(Xtr, Ytr), val=(Xva, Yva), metric=metric)

for epoch in range(EPOCHS):
    model.train()
    perm = torch.randperm(len(Xtr))
    for k in range(0, len(perm), BATCH):
        b = perm[k : k + BATCH]
        loss = loss_fn(model(Xtr[b]), Ytr[b])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(Xva)
    print(epoch, metric(out, Yva))
    watch.validated(loss=loss_fn(out, Yva).item(), metric=metric(out, Yva))

done(watch, metric(out, Yva))
