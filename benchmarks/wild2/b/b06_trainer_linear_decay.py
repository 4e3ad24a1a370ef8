"""A Trainer with a config dict, gradient accumulation, warm-up and linear decay: text of documentation, by package.

cause: optim.schedule_collapsed
"""

import torch
from kit import FIX, done, dressage, sentences
from torch import nn
from torch.utils.data import DataLoader

CONFIG = {
    "vocab_size": 2000,
    "embed_dim": 32,
    "hidden": 32,
    "batch_size": 16,
    "accumulate": 4,
    "epochs": 12,
    "lr": 2e-3,
    "warmup": 0.1,
}

rows = sentences(3000)
counts = {}
for text, _ in rows[:2400]:
    for w in text.split():
        counts[w] = counts.get(w, 0) + 1
vocab = {w: k + 2 for k, w in enumerate(sorted(counts, key=lambda w: (-counts[w], w))[: CONFIG["vocab_size"] - 2])}


def collate(batch):
    ids = [[vocab.get(w, 1) for w in text.split()] for text, _ in batch]
    width = max(len(s) for s in ids)
    return {
        "input_ids": torch.tensor([s + [0] * (width - len(s)) for s in ids]),
        "labels": torch.tensor([k for _, k in batch]),
    }


class BiGRU(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.embed = nn.Embedding(cfg["vocab_size"], cfg["embed_dim"], padding_idx=0)
        self.gru = nn.GRU(cfg["embed_dim"], cfg["hidden"], batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(0.2)
        self.fc = nn.Linear(2 * cfg["hidden"], 3)

    def forward(self, input_ids, labels=None):
        h, _ = self.gru(self.drop(self.embed(input_ids)))
        h = h.masked_fill((input_ids == 0).unsqueeze(-1), -1e9).amax(1)
        logits = self.fc(self.drop(h))
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return {"loss": loss, "logits": logits}


class Trainer:
    def __init__(self, model, cfg, train, test):
        self.model, self.cfg = model, cfg
        self.train_loader = DataLoader(train, batch_size=cfg["batch_size"], shuffle=True, collate_fn=collate)
        self.test_loader = DataLoader(test, batch_size=100, collate_fn=collate)
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=cfg["lr"], weight_decay=0.01)
        self.total = cfg["epochs"] * len(self.train_loader) // cfg["accumulate"]
        warm = int(cfg["warmup"] * self.total)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            lambda s: (s + 1) / warm if s < warm else max(0.0, (self.total - s) / max(1, self.total - warm)),
        )
        self.watch = dressage.watch(model, self.optimizer)

    def fit(self):
        k = self.cfg["accumulate"]
        for epoch in range(self.cfg["epochs"]):
            self.model.train()
            for step, batch in enumerate(self.train_loader):
                loss = self.model(**batch)["loss"] / k
                loss.backward()
                if (step + 1) % k == 0:
                    self.optimizer.step()
                    self.optimizer.zero_grad()
                    self.watch.step(loss * k)
                    if FIX:
                        self.scheduler.step()
                if not FIX:
                    self.scheduler.step()
            print(epoch, self.evaluate())

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        hits = [(self.model(b["input_ids"])["logits"].argmax(1) == b["labels"]).float() for b in self.test_loader]
        return torch.cat(hits).mean().item()


trainer = Trainer(BiGRU(CONFIG), CONFIG, rows[:2400], rows[2400:])
trainer.fit()
done(trainer.watch, trainer.evaluate())
