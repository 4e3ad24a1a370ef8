"""A Trainer: bfloat16, accumulation over four batches, warm-up and cosine, an average of the weights that is what is judged."""

import copy
import math

import torch
from kit import done, dressage, idx
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Trainer:
    defaults = {"lr": 4e-3, "warmup": 30, "epochs": 8, "batch": 16, "accumulate": 4, "ema": 0.98, "clip": 1.0}

    def __init__(self, model, train, val, **config):
        self.c = {**self.defaults, **config}
        self.model, self.average = model, copy.deepcopy(model).requires_grad_(False)
        self.train_loader = DataLoader(train, self.c["batch"], shuffle=True, drop_last=True)
        self.val_loader = DataLoader(val, 250)
        self.loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
        decay = [p for p in model.parameters() if p.ndim > 1]
        rest = [p for p in model.parameters() if p.ndim <= 1]
        self.opt = torch.optim.AdamW(
            [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}], lr=self.c["lr"]
        )
        total = self.c["epochs"] * len(self.train_loader) // self.c["accumulate"]
        w = self.c["warmup"]
        self.sched = torch.optim.lr_scheduler.LambdaLR(
            self.opt, lambda s: (s + 1) / w if s < w else 0.5 * (1 + math.cos(math.pi * (s - w) / (total - w)))
        )
        self.watch = dressage.watch(model, self.opt, self.loss_fn, train=self.train_loader, val=self.val_loader)

    def update(self):
        nn.utils.clip_grad_norm_(self.model.parameters(), self.c["clip"])
        self.opt.step()
        self.opt.zero_grad(set_to_none=True)
        self.sched.step()
        with torch.no_grad():
            for a, p in zip(self.average.parameters(), self.model.parameters()):
                a.lerp_(p, 1 - self.c["ema"])

    def fit(self):
        k = self.c["accumulate"]
        for _ in range(self.c["epochs"]):
            self.model.train()
            for n, (x, y) in enumerate(self.train_loader, 1):
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    out = self.model(x)
                loss = self.loss_fn(out.float(), y)
                (loss / k).backward()
                if n % k == 0:
                    self.update()
                    self.watch.step(loss)
        return self.evaluate()

    @torch.no_grad()
    def evaluate(self):
        self.average.eval()
        hits = [(self.average(x).argmax(1) == y).float() for x, y in self.val_loader]
        return torch.cat(hits).mean().item()


def load(part, n):
    images, labels = idx("mnist", part, n)
    return TensorDataset(
        (torch.tensor(images, dtype=torch.float32).flatten(1) / 255 - 0.13) / 0.31, torch.tensor(labels)
    )


class Mixer(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.inp = nn.Linear(784, d)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(d), nn.Linear(d, d), nn.GELU(), nn.Dropout(0.1), nn.Linear(d, d))
            for _ in range(3)
        )
        self.head = nn.Linear(d, 10)

    def forward(self, x):
        h = self.inp(x)
        for b in self.blocks:
            h = h + b(h)
        return self.head(h)


trainer = Trainer(Mixer(), load("train", 4000), load("t10k", 1000))
done(trainer.watch, trainer.fit())
