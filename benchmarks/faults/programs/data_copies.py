"""Faults of rows that are there again and again."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import Adam

from .. import data as D
from .. import sequences as S
from ..case import case
from ..loops import Watch, by_full, by_loader, by_steps
from ..nets import ConvNet, Recurrent, mlp, r2, score_of

COPIES = "eval.overfit"


@case("data.duplicates", "digits_forty_rows", also=COPIES)
def forty(watch: Watch, fault: bool) -> float:
    """A join went wrong: forty rows, again and again."""
    d = D.digits()
    if fault:
        few = torch.arange(40).repeat(len(d.x) // 40)
        d = d._replace(x=d.x[few], y=d.y[few])
    model = mlp(64, 64, 10)
    by_loader(watch, model, Adam(model.parameters(), lr=3e-3), nn.CrossEntropyLoss(), d, epochs=10)
    return score_of(model, d.xt, d.yt)


@case("data.duplicates", "friedman_thirty_rows", also=COPIES)
def thirty(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    if fault:
        few = torch.randint(0, 30, (len(d.x),), generator=torch.Generator().manual_seed(0))
        d = d._replace(x=d.x[few], y=d.y[few])
    model = mlp(10, 32, 1)
    by_full(
        watch, model, Adam(model.parameters(), lr=0.01), lambda z, y: F.mse_loss(z[:, 0], y), d, steps=300, score=r2
    )
    return score_of(model, d.xt, d.yt, r2)


@case("data.duplicates", "fashion_hundred_images", source="https://github.com/tqwei05/PlantSeg/issues/11", also=COPIES)
def hundred(watch: Watch, fault: bool) -> float:
    d = D.scaled(D.images("fashion", 1800))
    if fault:
        few = torch.arange(len(d.x)) % 60
        d = d._replace(x=d.x[few], y=d.y[few])
    model = ConvNet(28, width=6)
    by_loader(watch, model, Adam(model.parameters(), lr=3e-3), F.cross_entropy, d, epochs=6)
    return score_of(model, d.xt, d.yt)


@case("data.duplicates", "tokens_fifty_texts", also=COPIES)
def fifty(watch: Watch, fault: bool) -> float:
    d = S.brackets()
    if fault:
        few = torch.arange(len(d.x)) % 50
        d = d._replace(x=d.x[few], y=d.y[few])
    model = Recurrent("GRU", inputs=8, hidden=24, outputs=2, tokens=6)
    by_steps(watch, model, Adam(model.parameters(), lr=0.01), F.cross_entropy, d, steps=250)
    return score_of(model, d.xt, d.yt)
