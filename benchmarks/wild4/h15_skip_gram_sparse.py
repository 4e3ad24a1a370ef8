"""Word vectors: skip-gram with drawn negatives, sparse gradients, SparseAdam (score: AUC of unseen pairs; chance .5)."""

from collections import Counter

import torch
import torch.nn.functional as F
from kit import SEED, done, dressage, sentences
from sklearn.metrics import roc_auc_score
from torch import nn

lines = [t.rstrip(".").split() for t, _ in sentences(6000)]
count = Counter(w for line in lines for w in line)
vocabulary = [w for w, c in count.most_common(800)]
number = {w: i for i, w in enumerate(vocabulary)}
pairs = []
for k, line in enumerate(lines):
    ids = [number[w] for w in line if w in number]
    pairs += [(a, b, k % 10 == 0) for i, a in enumerate(ids) for b in ids[max(0, i - 2) : i + 3] if a != b]
pairs = torch.tensor(pairs)
train, val = pairs[pairs[:, 2] == 0, :2], pairs[pairs[:, 2] == 1, :2]
noise = torch.tensor([count[w] for w in vocabulary]).float() ** 0.75
generator = torch.Generator().manual_seed(SEED)


class SkipGram(nn.Module):
    def __init__(self, n, d=32):
        super().__init__()
        self.word, self.context = nn.Embedding(n, d, sparse=True), nn.Embedding(n, d, sparse=True)
        nn.init.uniform_(self.word.weight, -0.5 / d, 0.5 / d)
        nn.init.zeros_(self.context.weight)

    def forward(self, word, context):
        return torch.einsum("bd,bkd->bk", self.word(word), self.context(context))


model = SkipGram(len(vocabulary))
optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=1e-2)
watch = dressage.watch(model, optimizer, F.binary_cross_entropy_with_logits)
for epoch in range(3):
    for rows in torch.randperm(len(train)).split(256):
        word, good = train[rows].T
        bad = torch.multinomial(noise, len(rows) * 4, True, generator=generator).view(-1, 4)
        target = torch.zeros(len(rows), 5)
        target[:, 0] = 1
        loss = F.binary_cross_entropy_with_logits(model(word, torch.cat([good[:, None], bad], 1)), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
with torch.no_grad():
    word, good = val.T
    bad = torch.multinomial(noise, len(val), True, generator=generator)
    s = torch.cat([model(word, good[:, None]), model(word, bad[:, None])])
done(watch, roc_auc_score([1] * len(val) + [0] * len(val), s.squeeze(1)))
