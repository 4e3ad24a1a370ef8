"""Tells which of three packages a line of documentation belongs to: TF-IDF columns into a small network with strong dropout."""

import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import nn

from kit import done, dressage, sentences

rows = sentences(6000)
cut = int(0.8 * len(rows))
texts, labels = [t for t, _ in rows], torch.tensor([k for _, k in rows])
vectorizer = TfidfVectorizer(ngram_range=(1, 2), max_features=4000, sublinear_tf=True)
vectorizer.fit(texts[:cut])
X = torch.tensor(vectorizer.transform(texts).toarray(), dtype=torch.float32) * 4
X_train, X_val, y_train, y_val = X[:cut], X[cut:], labels[:cut], labels[cut:]


class SparseMLP(nn.Module):
    def __init__(self, n_in, hidden=64):
        super().__init__()
        self.stack = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(n_in, hidden), nn.ReLU(), nn.Dropout(0.6), nn.Linear(hidden, 3)
        )

    def forward(self, x):
        return self.stack(x)


def accuracy(out, y):
    return (out.argmax(1) == y).float().mean().item()


EPOCHS, BS = 8, 48
model = SparseMLP(X.shape[1])
loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
steps = EPOCHS * -(-cut // BS)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: max(0.0, 1 - s / steps))
watch = dressage.watch(model, optimizer, loss_fn, train=(X_train, y_train), val=(X_val, y_val), metric=accuracy)

for epoch in range(EPOCHS):
    model.train()
    for pick in torch.randperm(cut).split(BS):
        loss = loss_fn(model(X_train[pick]), y_train[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(X_val)
        vl, va, ta = loss_fn(out, y_val).item(), accuracy(out, y_val), accuracy(model(X_train[:2000]), y_train[:2000])
    print(f"{epoch} val loss {vl:.4f} acc {va:.4f} train acc {ta:.4f}")
    watch.validated(loss=vl, metric=va)

done(watch, va)
