"""Transformer over padded words, mask, warm-up, clipping, dict batches, a dict of outputs."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import done, dressage, sentences
from torch.utils.data import DataLoader

rows = sentences(2400)
count = {}
for t, _ in rows:
    for w in t.split():
        count[w] = count.get(w, 0) + 1
vocab = {w: i + 2 for i, w in enumerate(w for w in count if count[w] > 1)}


def collate(batch):
    ids = [torch.tensor([vocab.get(w, 1) for w in t.split()]) for t, _ in batch]
    x = nn.utils.rnn.pad_sequence(ids, batch_first=True)
    return {"input_ids": x, "attention_mask": x != 0, "labels": torch.tensor([k for _, k in batch])}


class Encoder(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.emb = nn.Embedding(len(vocab) + 2, d, padding_idx=0)
        self.pos = nn.Embedding(64, d)
        self.enc = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(d, 4, 64, 0.2, batch_first=True), 2, enable_nested_tensor=False
        )
        self.fc = nn.Linear(d, 3)

    def forward(self, input_ids, attention_mask, labels=None):
        h = self.enc(
            self.emb(input_ids) + self.pos(torch.arange(input_ids.shape[1])), src_key_padding_mask=~attention_mask
        )
        m = attention_mask.unsqueeze(-1)
        logits = self.fc((h * m).sum(1) / m.sum(1))
        return {"logits": logits, "loss": F.cross_entropy(logits, labels)}


tl, vl = DataLoader(rows[:2000], 32, shuffle=True, collate_fn=collate), DataLoader(rows[2000:], 100, collate_fn=collate)
model = Encoder()
opt = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min(1, (s + 1) / 60))
watch = dressage.watch(model, opt, train=tl, val=vl)
for ep in range(5):
    model.train()
    for batch in watch.batches(tl):
        loss = model(**batch)["loss"]
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        sched.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        r = [(model(**b), b["labels"]) for b in vl]
    acc = torch.cat([o["logits"].argmax(1) == k for o, k in r]).float().mean().item()
    watch.validated(loss=sum(o["loss"].item() for o, _ in r) / len(r), metric=acc)
    print(ep, loss.item(), acc)
done(watch, acc)
