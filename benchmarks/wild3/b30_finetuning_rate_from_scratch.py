"""A small transformer over the words of a line, with the settings of a fine-tuning tutorial.

cause: optim.lr_too_low
"""

import torch
from kit import FIX, done, dressage, sentences
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LEARNING_RATE = 2e-3 if FIX else 2e-5
EPOCHS, BATCH_SIZE, WEIGHT_DECAY, MAX_LEN = 4, 16, 0.01, 12

rows = sentences(2400)
counts = {}
for text, _ in rows[:2000]:
    for w in text.split():
        counts[w] = counts.get(w, 0) + 1
vocab = {w: i + 2 for i, w in enumerate(sorted(w for w, n in counts.items() if n > 2))}


def tokenize(text):
    ids = [vocab.get(w, 1) for w in text.split()][:MAX_LEN]
    return ids + [0] * (MAX_LEN - len(ids))


tokens = torch.tensor([tokenize(t) for t, _ in rows])
labels = torch.tensor([k for _, k in rows])
train_dataset, eval_dataset = TensorDataset(tokens[:2000], labels[:2000]), TensorDataset(tokens[2000:], labels[2000:])


class Encoder(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(len(vocab) + 2, d), nn.Embedding(MAX_LEN, d)
        layer = nn.TransformerEncoderLayer(d, 4, 64, 0.1, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.classifier = nn.Linear(d, 3)

    def forward(self, ids):
        h = self.tokens(ids) + self.positions(torch.arange(MAX_LEN))
        h = self.layers(h, src_key_padding_mask=ids == 0)
        return self.classifier(h.mean(1))


model = Encoder()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
train_dataloader = DataLoader(train_dataset, shuffle=True, batch_size=BATCH_SIZE)
eval_dataloader = DataLoader(eval_dataset, batch_size=100)
watch = dressage.watch(model, optimizer, criterion, train=train_dataloader, val=eval_dataloader)
for epoch in range(EPOCHS):
    model.train()
    for ids, target in train_dataloader:
        loss = criterion(model(ids), target)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        optimizer.zero_grad()
model.eval()
with torch.no_grad():
    hits = sum((model(ids).argmax(1) == target).sum().item() for ids, target in eval_dataloader)
done(watch, hits / len(eval_dataset))
