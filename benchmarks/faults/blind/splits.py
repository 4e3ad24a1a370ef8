"""Rows that are in two parts, in the wrong part, in the wrong order, or there many times."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam
from torch.utils.data import DataLoader, TensorDataset

from .. import data as D
from ..case import case
from ..loops import Watch
from ..nets import accuracy, balanced, r2, score_of
from . import sets
from .pairs import loop, tone_net


def kept_word(promised: float, held: float) -> float:
    """1 where the validation promised what the test rows held."""
    return 1 - max(0.0, promised - held)


@case(
    "data.leakage",
    "copied_the_few_before_the_split",
    also="data.duplicates eval.overfit",
    source="https://bitsfolio.com/smote-data-leakage-validation-set/",
)
def copied(watch: Watch, fault: bool) -> float:
    """Those who leave were drawn again until they were as many; the twin splits first and then draws."""
    d = sets.churn(1500, share=0.12, noise=1.4)
    x, y = torch.cat([d.x, d.xv]), torch.cat([d.y, d.yv])

    def evened(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        few = (y == 1).nonzero()[:, 0]
        more = few[torch.randint(len(few), (int((y == 0).sum()) - len(few),))]
        return torch.cat([x, x[more]]), torch.cat([y, y[more]])

    if fault:
        x, y = evened(x, y)
    mixed = torch.randperm(len(x))
    train, val = mixed[: int(0.75 * len(x))], mixed[int(0.75 * len(x)) :]
    xtr, ytr = (x[train], y[train]) if fault else evened(x[train], y[train])
    d = D.Split(xtr, ytr, x[val], y[val], d.xt, d.yt)
    model = nn.Sequential(nn.Linear(12, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU(), nn.Linear(48, 2))
    promised = loop(watch, model, Adam(model.parameters(), lr=3e-3), nn.CrossEntropyLoss(), d, 15, 32, balanced)
    return kept_word(promised, score_of(model, d.xt, d.yt, balanced))


@case("data.leakage", "column_filled_after_the_fact")
def filled(watch: Watch, fault: bool) -> float:
    """A fee is only booked for customers who have left; when the prediction is wanted, it is nought for all."""
    d = sets.floats(sets.churn(1400, share=0.35))
    draw = torch.Generator().manual_seed(4)

    def fee(y: Tensor) -> Tensor:
        return (y * (25 + 5 * torch.rand(len(y), generator=draw)))[:, None] / 10

    if fault:
        d = D.Split(
            torch.cat([d.x, fee(d.y)], 1), d.y, torch.cat([d.xv, fee(d.yv)], 1), d.yv,
            torch.cat([d.xt, torch.zeros(len(d.xt), 1)], 1), d.yt,
        )  # fmt: skip
    model = nn.Sequential(nn.Linear(d.x.shape[1], 40), nn.ReLU(), nn.Linear(40, 1), nn.Flatten(0))
    loop(watch, model, Adam(model.parameters(), lr=3e-3), F.binary_cross_entropy_with_logits, d, 12, 32, balanced)
    return score_of(model, d.xt, d.yt, balanced)


@case("data.split_shift", "numerals_cut_at_the_end_of_the_file", also="data.class_imbalance eval.overfit")
def numerals(watch: Watch, fault: bool) -> float:
    """The file is sorted by numeral; its first three quarters became the training rows."""
    d = D.digits()
    x, y = torch.cat([d.x, d.xv]), torch.cat([d.y, d.yv])
    order = y.argsort(stable=True) if fault else torch.randperm(len(y))
    cut = int(0.75 * len(y))
    train, val = order[:cut], order[cut:]
    d = D.Split(x[train], y[train], x[val], y[val], d.xt, d.yt)
    model = nn.Sequential(nn.Linear(64, 48), nn.LeakyReLU(), nn.Linear(48, 10))
    loop(watch, model, Adam(model.parameters(), lr=4e-3), nn.CrossEntropyLoss(), d, 12, 32, accuracy)
    return score_of(model, d.xt, d.yt)


@case("data.split_shift", "echoes_from_near_to_far", also="eval.overfit")
def near_to_far(watch: Watch, fault: bool) -> float:
    """The echoes were written down from near to far; the far third is what is validated on."""
    d = sets.spirals()
    x, y = torch.cat([d.x, d.xv]), torch.cat([d.y, d.yv])
    rows = x.norm(dim=1).argsort() if fault else torch.randperm(len(y))
    cut = int(0.7 * len(y))
    d = D.Split(x[rows[:cut]], y[rows[:cut]], x[rows[cut:]], y[rows[cut:]], d.xt, d.yt)
    model = nn.Sequential(nn.Linear(2, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 3))
    loop(watch, model, Adam(model.parameters(), lr=6e-3), nn.CrossEntropyLoss(), d, 25, 32, accuracy)
    return score_of(model, d.xt, d.yt)


@case("data.no_shuffle", "folders_of_clothes_in_turn", also="optim.lr_too_high")
def folders(watch: Watch, fault: bool) -> float:
    """A folder a class, read one after the other; `shuffle` was left at its default."""
    d = D.scaled(D.images("fashion", 2000))
    order = d.y.argsort(stable=True)
    loader = DataLoader(TensorDataset(d.x[order], d.y[order]), batch_size=25, shuffle=not fault)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    opt, crit = SGD(model.parameters(), lr=0.05), nn.CrossEntropyLoss()
    w = watch(model, opt, crit, train=loader, val=DataLoader(TensorDataset(d.xv, d.yv), 200), metric=accuracy)
    for _ in range(10):
        for x, y in loader:
            opt.zero_grad()
            loss = crit(model(x), y)
            loss.backward()
            opt.step()
            w.step(loss.item())
        with torch.no_grad():
            z = model(d.xv)
        w.validated(loss=float(crit(z, d.yv)), metric=accuracy(z, d.yv))
    return score_of(model, d.xt, d.yt)


@case("data.no_shuffle", "houses_from_cheap_to_dear", also="optim.lr_too_high")
def cheap_to_dear(watch: Watch, fault: bool) -> float:
    """The table is sorted by price and sliced from the front to the back, epoch for epoch."""
    d = D.standard(sets.houses(), targets=True)
    order = d.y.argsort()
    x, y = d.x[order], d.y[order]
    model = nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))
    opt = SGD(model.parameters(), lr=0.02, momentum=0.9)
    w = watch(model, opt, F.mse_loss, train=(x, y[:, None]), val=(d.xv, d.yv[:, None]), metric=r2)
    for _ in range(30):
        rows = torch.arange(len(y)) if fault else torch.randperm(len(y))
        for i in range(0, len(y), 20):
            part = rows[i : i + 20]
            loss = F.mse_loss(model(x[part]), y[part, None])
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
            w.step(loss)
        with torch.no_grad():
            z = model(d.xv)
            w.validated(loss=F.mse_loss(z, d.yv[:, None]).item(), metric=r2(z, d.yv))
    return score_of(model, d.xt, d.yt, r2)


@case("data.duplicates", "recordings_cut_from_one_hum", also="eval.overfit")
def recordings(watch: Watch, fault: bool) -> float:
    """Nine hundred rows, but a join has made ten of each recording."""
    d = sets.tones(1500, noise=0.9)
    if fault:
        few = d.x[:90].repeat_interleave(10, 0), d.y[:90].repeat_interleave(10)
        d = d._replace(x=few[0], y=few[1])
    model = tone_net()
    loop(watch, model, Adam(model.parameters(), lr=3e-3), nn.CrossEntropyLoss(), d, 12, 30, accuracy)
    return score_of(model, d.xt, d.yt)


@case("data.duplicates", "houses_exported_again_each_month", also="eval.overfit")
def exported(watch: Watch, fault: bool) -> float:
    """The month's export holds all houses still unsold: fifty houses, twelve times each, out of order."""
    d = D.standard(sets.houses(1000), targets=True)
    if fault:
        rows = torch.from_numpy(np.random.default_rng(5).permutation(np.repeat(np.arange(50), 12)))
        d = d._replace(x=d.x[rows], y=d.y[rows])
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0))
    loop(watch, model, Adam(model.parameters(), lr=2e-3), nn.MSELoss(), d, 25, 32, r2)
    return score_of(model, d.xt, d.yt, r2)
