"""Which package is a sentence from? Averaged word vectors with learned attention, an early stop, binary cross-entropy.

cause: model.wrong_output_size
"""

import torch
from kit import FIX, done, dressage, sentences
from torch import nn

rows = sentences(2400)
words = {}
for text, _ in rows[:1900]:
    for w in text.split():
        words[w] = words.get(w, 0) + 1
vocab = {w: k + 1 for k, w in enumerate(w for w, c in words.items() if c > 1)}
LENGTH = 16


def encode(text):
    ids = [vocab.get(w, 0) for w in text.split()][:LENGTH]
    return ids + [0] * (LENGTH - len(ids))


X = torch.tensor([encode(t) for t, _ in rows])
y = torch.tensor([k for _, k in rows])
X_tr, X_va, y_tr, y_va = X[:1900], X[1900:], y[:1900], y[1900:]


class AttentionPool(nn.Module):
    def __init__(self, n_out):
        super().__init__()
        self.embed = nn.Embedding(len(vocab) + 1, 48, padding_idx=0)
        self.query = nn.Linear(48, 1)
        self.head = nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, n_out))

    def forward(self, ids):
        e = self.embed(ids)
        score = self.query(torch.tanh(e)).squeeze(-1).masked_fill(ids == 0, -1e4)
        return self.head((score.softmax(1).unsqueeze(-1) * e).sum(1))


if FIX:
    model, ce = AttentionPool(3), nn.CrossEntropyLoss()
    loss_fn = lambda out, target: ce(out, target)
else:
    model, bce = AttentionPool(1), nn.BCEWithLogitsLoss()
    loss_fn = lambda out, target: bce(out.squeeze(1), target.float())


def accuracy(out, target):
    guess = out.argmax(1) if out.shape[1] > 1 else (out.squeeze(1) > 0).long()
    return (guess == target).float().mean().item()


optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
watch = dressage.watch(model, optimizer, loss_fn, train=(X_tr, y_tr), val=(X_va, y_va))
best, waited = float("inf"), 0
for epoch in range(15):
    model.train()
    for b in torch.randperm(len(X_tr)).split(32):
        optimizer.zero_grad()
        loss = loss_fn(model(X_tr[b]), y_tr[b])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(X_va)
    val = loss_fn(out, y_va).item()
    score = accuracy(out, y_va)
    print(f"{epoch} val loss {val:.3f} accuracy {score:.3f}")
    best, waited = (val, 0) if val < best else (best, waited + 1)
    if waited == 3:
        break
done(watch, score)
