"""Faults in batch norm's batches, and in the strength of the penalties."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW

from .. import data as D
from .. import sequences as S
from ..case import case
from ..loops import Watch, by_loader, by_slices, by_steps
from ..nets import Transformer, mlp, r2, score_of, side

TINY = "https://github.com/pytorch/pytorch/issues/4741"


@case("optim.bn_small_batch", "digits_batch_of_two", source=TINY)
def bn_two(watch: Watch, fault: bool) -> float:
    d = D.digits()
    d = d._replace(x=d.x[:400], y=d.y[:400])
    model = mlp(64, 48, 48, 10, norm=True)
    batch, epochs = (2, 2) if fault else (25, 25)
    by_loader(watch, model, SGD(model.parameters(), lr=0.05), nn.CrossEntropyLoss(), d, epochs=epochs, batch=batch)
    return score_of(model, d.xt, d.yt)


@case("optim.bn_small_batch", "conv_batch_of_two", source=TINY)
def bn_conv(watch: Watch, fault: bool) -> float:
    d = D.digits(image=True)
    norm = nn.BatchNorm1d(32) if fault else nn.LayerNorm(32)
    body = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 32)]
    model = nn.Sequential(*body, norm, nn.ReLU(), nn.Linear(32, 10))
    by_steps(watch, model, SGD(model.parameters(), lr=0.03), F.cross_entropy, d, steps=500, batch=2)
    return score_of(model, d.xt, d.yt)


@case("optim.bn_small_batch", "friedman_batch_of_three")
def bn_three(watch: Watch, fault: bool) -> float:
    d = D.friedman(500)
    norm = nn.BatchNorm1d(32) if fault else nn.LayerNorm(32)
    model = nn.Sequential(nn.Linear(10, 32), norm, nn.ReLU(), nn.Linear(32, 1))
    by_slices(
        watch,
        model,
        Adam(model.parameters(), lr=5e-3),
        lambda z, y: F.mse_loss(z[:, 0], y),
        d,
        epochs=4,
        batch=3,
        score=r2,
    )
    return score_of(model, d.xt, d.yt, r2)


@case("optim.over_regularised", "digits_weight_decay", also="eval.underfit")
def decay(watch: Watch, fault: bool) -> float:
    d = D.digits()
    model = mlp(64, 64, 10)
    opt = SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1 if fault else 1e-4)
    by_loader(watch, model, opt, nn.CrossEntropyLoss(), d, epochs=8)
    return score_of(model, d.xt, d.yt)


@case("optim.over_regularised", "friedman_l1_in_the_loop", also="eval.underfit")
def l1_penalty(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    model = mlp(10, 48, 1)
    strength = 0.05 if fault else 1e-5

    def loss_fn(z: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(z[:, 0], y) + strength * sum(p.abs().sum() for p in model.parameters())

    by_slices(watch, model, Adam(model.parameters(), lr=5e-3), loss_fn, d, epochs=15, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@case("optim.over_regularised", "labels_dropout_0.9", also="eval.underfit")
def dropout(watch: Watch, fault: bool) -> float:
    d = D.labels()
    model = mlp(20, 48, 48, 6, drop=0.9 if fault else 0.1)
    by_loader(watch, model, Adam(model.parameters(), lr=5e-3), nn.BCEWithLogitsLoss(), d, epochs=20, score=side)
    return score_of(model, d.xt, d.yt, side)


@case("optim.over_regularised", "transformer_adamw_decay_30", also="eval.underfit")
def adamw_decay(watch: Watch, fault: bool) -> float:
    d = S.brackets()
    model = Transformer(width=16)
    opt = AdamW(model.parameters(), lr=4e-3, weight_decay=30.0 if fault else 0.01)
    by_steps(watch, model, opt, F.cross_entropy, d, steps=250)
    return score_of(model, d.xt, d.yt)
