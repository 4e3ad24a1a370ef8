"""Is a line from the documentation of torch? An LSTM that gives one probability.

cause: model.wrong_output_activation
"""

import torch
from kit import FIX, done, dressage, sentences
from torch import nn

rows = sentences(2400)
rows = [(t, float(k == 1)) for t, k in rows if k != 0]
seen = sorted({w for t, _ in rows[:1300] for w in t.split()})
word2id = {w: i + 2 for i, w in enumerate(seen)}


def encode(text, length=12):
    ids = [word2id.get(w, 1) for w in text.split()][:length]
    return ids + [0] * (length - len(ids))


X = torch.tensor([encode(t) for t, _ in rows])
Y = torch.tensor([k for _, k in rows]).unsqueeze(1)
X_train, Y_train, X_val, Y_val = X[:1300], Y[:1300], X[1300:], Y[1300:]


class Classifier(nn.Module):
    def __init__(self, vocab, dim=32, hidden=32):
        super().__init__()
        self.embedding = nn.Embedding(vocab, dim, padding_idx=0)
        self.lstm = nn.LSTM(dim, hidden, batch_first=True)
        self.linear = nn.Linear(hidden, 1)
        self.activation = nn.Sigmoid() if FIX else nn.Softmax(dim=1)

    def forward(self, ids):
        _, (h, _) = self.lstm(self.embedding(ids))
        return self.activation(self.linear(h[-1]))


model = Classifier(len(word2id) + 2)
bce = nn.BCELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
watch = dressage.watch(model, optimizer, bce, train=(X_train, Y_train), val=(X_val, Y_val))
for epoch in range(8):
    model.train()
    for b in torch.randperm(len(X_train)).split(32):
        optimizer.zero_grad()
        loss = bce(model(X_train[b]), Y_train[b])
        loss.backward()
        optimizer.step()
        watch.step(loss)
model.eval()
with torch.no_grad():
    done(watch, ((model(X_val) > 0.5).float() == Y_val).float().mean())
