"""Text classifier: out[:, -1] of an LSTM is the state after forty steps of padding.

cause: optim.vanishing_gradients
"""

import torch
from kit import FIX, done, dressage, sentences
from torch import nn

rows = sentences(2400)
words = {}
for text, _ in rows:
    for w in text.split():
        words[w] = words.get(w, 0) + 1
vocab = {w: i + 2 for i, w in enumerate(w for w, c in sorted(words.items()) if c > 2)}
MAX = 60


def encode(text):
    ids = [vocab.get(w, 1) for w in text.split()][:MAX]
    return ids + [0] * (MAX - len(ids)), len(ids)


enc = [encode(t) for t, _ in rows]
X = torch.tensor([e[0] for e in enc])
L = torch.tensor([e[1] for e in enc])
Y = torch.tensor([k for _, k in rows])


class TextLSTM(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.emb = nn.Embedding(n, 32, padding_idx=0)
        self.lstm = nn.LSTM(32, 48, batch_first=True)
        self.fc = nn.Linear(48, 3)

    def forward(self, x):
        out, (h, c) = self.lstm(self.emb(x))
        if FIX:
            lengths = (x != 0).sum(1)
            last = out[torch.arange(len(x)), lengths - 1]
        else:
            last = out[:, -1, :]
        return self.fc(last)


model = TextLSTM(len(vocab) + 2)
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
n = 2000
watch = dressage.watch(model, opt, loss_fn, train=(X[:n], Y[:n]), val=(X[n:], Y[n:]))
for epoch in range(5):
    model.train()
    for idx in torch.randperm(n).split(32):
        opt.zero_grad()
        loss = loss_fn(model(X[idx]), Y[idx])
        loss.backward()
        opt.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        acc = (model(X[n:]).argmax(1) == Y[n:]).float().mean()
    watch.validated(metric=acc)
    print(epoch, loss.item(), acc.item())
done(watch, acc)
