"""Characters by an LSTM with plain SGD at a rate of 40: each gradient is cut to a norm of 0.05."""

import torch
from kit import done, dressage, sentences
from torch import nn

text = "\n".join(t for t, _ in sentences(1500))
chars = sorted(set(text))
data = torch.tensor([chars.index(c) for c in text])
train, val = data[:-8000], data[-8000:]


def batch(source, n=24, length=30):
    start = torch.randint(len(source) - length - 1, (n, 1))
    at = start + torch.arange(length)
    return source[at], source[at + 1]


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(chars), 32)
        self.lstm = nn.LSTM(32, 64, batch_first=True)
        self.decode = nn.Linear(64, len(chars))

    def forward(self, x):
        return self.decode(self.lstm(self.embed(x))[0]).flatten(0, 1)


model = LanguageModel()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=40.0)
watch = dressage.watch(model, optimizer, criterion)
bites = 0
for it in range(600):
    x, y = batch(train)
    optimizer.zero_grad()
    loss = criterion(model(x), y.flatten())
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), 0.05)
    bites += (norm > 0.05).item()
    optimizer.step()
    watch.step(loss)
with torch.no_grad():
    x, y = batch(val, 200)
    score = (model(x).argmax(1) == y.flatten()).float().mean()
print(f"clipped {bites} of 600")
done(watch, score)
