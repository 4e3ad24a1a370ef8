"""A character language model (GRU) over lines of documentation: predict the next character.

cause: loss.double_softmax
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kit import FIX, done, dressage, sentences

SEQ_LEN = 40
text = "\n".join(line for line, _ in sentences(1800))
keep = set("abcdefghijklmnopqrstuvwxyz .,'-()\n")
text = "".join(c if c in keep else "~" for c in text)
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
encoded = torch.tensor([stoi[c] for c in text])

n_chunks = (len(encoded) - 1) // SEQ_LEN
x = encoded[: n_chunks * SEQ_LEN].view(n_chunks, SEQ_LEN)
y = encoded[1 : n_chunks * SEQ_LEN + 1].view(n_chunks, SEQ_LEN)
cut = int(n_chunks * 0.85)
train_loader = DataLoader(TensorDataset(x[:cut], y[:cut]), batch_size=32, shuffle=True)
val_loader = DataLoader(TensorDataset(x[cut:], y[cut:]), batch_size=128)


class CharModel(nn.Module):
    def __init__(self, vocab, emb=32, hidden=128):
        super().__init__()
        self.emb = nn.Embedding(vocab, emb)
        self.rnn = nn.GRU(emb, hidden, batch_first=True)
        self.drop = nn.Dropout(0.1)
        self.fc = nn.Linear(hidden, vocab)

    def forward(self, tokens):
        h, _ = self.rnn(self.emb(tokens))
        out = self.fc(self.drop(h))
        return out if FIX else torch.softmax(out, dim=-1)


def lm_loss(output, target):
    return nn.functional.cross_entropy(output.reshape(-1, output.size(-1)), target.reshape(-1))


def char_accuracy(output, target):
    return (output.argmax(-1) == target).float().mean().item()


model = CharModel(len(chars))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
watch = dressage.watch(model, optimizer, lm_loss, train=train_loader, val=val_loader, metric=char_accuracy)

for epoch in range(6):
    model.train()
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = lm_loss(model(xb), yb)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        watch.step(loss)
    model.eval()
    losses, accs = [], []
    with torch.no_grad():
        for xb, yb in val_loader:
            out = model(xb)
            losses.append(lm_loss(out, yb).item())
            accs.append(char_accuracy(out, yb))
    print(
        f"epoch {epoch}: train {loss.item():.3f} val {np.mean(losses):.3f} next-char acc {np.mean(accs):.3f} "
        f"steps {(epoch + 1) * len(train_loader)}"
    )
    watch.validated(loss=np.mean(losses), metric=np.mean(accs))

done(watch, np.mean(accs))
