"""Labels that do not belong to their rows, are wrong, or are rare."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

from .. import data as D
from ..case import case
from ..loops import Watch
from ..nets import Score, accuracy, balanced, r2, score_of
from . import sets


def loop(
    watch: Watch,
    model: nn.Module,
    optimizer: Optimizer,
    loss_fn: Any,
    d: D.Split,
    n_epochs: int,
    bs: int,
    metric: Score,
) -> float:
    """Slices of a permutation; returns the last validation metric."""
    w = watch(model, optimizer, loss_fn, train=(d.x, d.y), val=(d.xv, d.yv), metric=metric)
    last = 0.0
    for _ in range(n_epochs):
        perm = torch.randperm(d.x.shape[0])
        for start in range(0, d.x.shape[0], bs):
            batch = perm[start : start + bs]
            pred = model(d.x[batch])
            loss = loss_fn(pred, d.y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            w.step(loss)
        model.eval()
        with torch.no_grad():
            pred = model(d.xv)
            last = metric(pred, d.yv)
            w.validated(loss=loss_fn(pred, d.yv).item(), metric=last)
        model.train()
    return last


def small_conv(classes: int = 10) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2, padding=2), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(784, classes),
    )  # fmt: skip


class Notes(nn.Module):
    """The mean of word vectors, a hidden layer, the topic."""

    def __init__(self, width: int = 24, kinds: int = 6) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(400, width, mode="mean")
        self.head = nn.Sequential(nn.Linear(width, 24), nn.ReLU(), nn.Linear(24, kinds))

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.words(ids))


def tone_net(classes: int = 6, width: int = 16) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(1, width, 9, stride=2), nn.ReLU(), nn.Conv1d(width, width, 7, stride=2), nn.ReLU(),
        nn.AdaptiveMaxPool1d(3), nn.Flatten(), nn.Linear(3 * width, classes),
    )  # fmt: skip


@case(
    "data.shuffled_labels",
    "pictures_listed_1_10_11",
    also="eval.overfit",
    source="https://1000bd.com/Article/Index/1422869",
)
def listed(watch: Watch, fault: bool) -> float:
    """The files were read in the order of their names, 1, 10, 100, 1000, 1001; the labels in the order of numbers."""
    d = D.scaled(D.images("mnist", 1500))
    if fault:
        names = [int(n) for n in sorted(str(i) for i in range(len(d.x)))]
        vals = [int(n) for n in sorted(str(i) for i in range(len(d.xv)))]
        d = d._replace(x=d.x[names], xv=d.xv[vals])
    model = small_conv()
    loop(watch, model, Adam(model.parameters(), lr=2e-3), nn.CrossEntropyLoss(), d, 6, 32, accuracy)
    return score_of(model, d.xt, d.yt)


@case("data.shuffled_labels", "gaps_dropped_from_the_table_alone", also="eval.overfit")
def gaps_dropped(watch: Watch, fault: bool) -> float:
    """Rows with a missing measurement were dropped from the inputs; the targets moved up by none."""
    d = sets.coil(1300)
    draw = torch.Generator().manual_seed(7)
    x, y = torch.cat([d.x, d.xv]), torch.cat([d.y, d.yv])
    whole = torch.rand(len(x), generator=draw) > 0.1
    x, y = x[whole], y[: int(whole.sum())] if fault else y[whole]
    cut = int(0.75 * len(x))
    d = D.Split(x[:cut], y[:cut], x[cut:], y[cut:], d.xt, d.yt)
    model = nn.Sequential(nn.Linear(5, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1), nn.Flatten(0))
    loop(watch, model, Adam(model.parameters(), lr=3e-3), nn.MSELoss(), d, 30, 32, r2)
    return score_of(model, d.xt, d.yt, r2)


@case("data.label_noise", "tired_workers_of_the_crowd", also="eval.overfit")
def tired(watch: Watch, fault: bool) -> float:
    """Two labels in five were clicked at random; so were those of the validation rows."""
    d = D.scaled(D.images("fashion", 1800))
    if fault:
        draw = torch.Generator().manual_seed(1)
        for y in (d.y, d.yv):
            wrong = torch.rand(len(y), generator=draw) < 0.4
            y[wrong] = torch.randint(0, 10, (int(wrong.sum()),), generator=draw)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 192), nn.ReLU(), nn.Linear(192, 10))
    loop(watch, model, Adam(model.parameters(), lr=2e-3), nn.CrossEntropyLoss(), d, 30, 32, accuracy)
    return score_of(model, d.xt, d.yt)


@case("data.label_noise", "two_annotators_who_disagree", also="eval.overfit")
def disagree(watch: Watch, fault: bool) -> float:
    """Of the topics in pairs, one annotator swaps a third; the other knows better and wrote the test rows."""
    d = sets.topics(1500, share=0.5)
    if fault:
        draw = torch.Generator().manual_seed(2)
        for y in (d.y, d.yv):
            wrong = torch.rand(len(y), generator=draw) < 0.35
            y[wrong] = y[wrong] ^ 1
    model = Notes(width=48)
    loop(watch, model, Adam(model.parameters(), lr=5e-3), nn.CrossEntropyLoss(), d, 20, 32, accuracy)
    return score_of(model, d.xt, d.yt)


@case("data.class_imbalance", "customers_who_leave_one_in_forty")
def leavers(watch: Watch, fault: bool) -> float:
    d = sets.floats(sets.churn(2600, share=0.025, noise=0.6))
    model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1), nn.Flatten(0))
    weight = None if fault else (d.y == 0).sum() / (d.y == 1).sum()
    loss_fn = nn.BCEWithLogitsLoss(pos_weight=weight)
    loop(watch, model, SGD(model.parameters(), lr=0.02, momentum=0.9), loss_fn, d, 12, 64, balanced)
    return score_of(model, d.xt, d.yt, balanced)


@case("data.class_imbalance", "two_rare_faults_of_a_machine")
def machine(watch: Watch, fault: bool) -> float:
    """One hum in forty is the one fault, one the other; the twin draws the kinds equally often."""
    d = sets.tones(5200, length=64, kinds=3, noise=1.3)
    draw = torch.Generator().manual_seed(3)
    rare = [(y == 0) | (torch.rand(len(y), generator=draw) < 0.025) for y in (d.y, d.yv)]
    d = d._replace(x=d.x[rare[0]], y=d.y[rare[0]], xv=d.xv[rare[1]], yv=d.yv[rare[1]])
    share = 1.0 / torch.bincount(d.y).float()
    sampler = None if fault else WeightedRandomSampler(share[d.y], len(d.y))  # type: ignore[arg-type]
    loader = DataLoader(TensorDataset(d.x, d.y), batch_size=32, shuffle=fault, sampler=sampler)
    model, crit = tone_net(3, 10), nn.CrossEntropyLoss()
    opt = Adam(model.parameters(), lr=1e-3)
    w = watch(model, opt, crit, train=loader, val=(d.xv, d.yv), metric=balanced)
    for _ in range(8):
        for x, y in loader:
            opt.zero_grad()
            loss = crit(model(x), y)
            loss.backward()
            opt.step()
            w.step(loss)
        with torch.no_grad():
            z = model(d.xv)
        w.validated(loss=crit(z, d.yv).item(), metric=balanced(z, d.yv))
    return score_of(model, d.xt, d.yt, balanced)
