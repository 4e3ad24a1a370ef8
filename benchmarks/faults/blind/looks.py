"""Modes and transforms that differ between training and validation; too much learned, too little; waiting for rows."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.utils.data import DataLoader, Dataset, TensorDataset

from .. import data as D
from ..case import case
from ..loops import Watch
from ..nets import Score, accuracy, r2, score_of
from . import sets
from .costs import main
from .heads import steps_of
from .tables import epochs_of, until


def with_modes(
    watch: Watch, net: nn.Module, opt: Optimizer, loss_fn: Callable[..., Tensor], d: D.Split, score: Score, epochs: int,
    size: int = 32, *, train_once: bool = False, eval_late: bool = True, first_look: bool = False, part: int = 10**6,
) -> float:  # fmt: skip
    """Trains and validates; the modes are set where the switches say. The score on the test rows, in the mode it is in."""
    loader = DataLoader(TensorDataset(d.x, d.y), size, shuffle=True, drop_last=True)
    w = watch(net, opt, loss_fn, train=loader, val=DataLoader(TensorDataset(d.xv, d.yv), min(part, 256)), metric=score)

    @torch.no_grad()
    def guess(x: Tensor) -> Tensor:
        if eval_late:
            net.eval()
        return torch.cat([net(rows) for rows in x.split(part)])

    def validate() -> None:
        z = guess(d.xv)
        w.validated(loss=loss_fn(z, d.yv).item(), metric=score(z, d.yv))

    net.train()
    if first_look:
        guess(d.xv[:64])
    for _ in range(epochs):
        if not train_once:
            net.train()
        for x, y in loader:
            opt.zero_grad()
            loss = loss_fn(net(x), y)
            loss.backward()
            opt.step()
            w.step(loss)
        validate()
    return score(guess(d.xt), d.yt)


@case(
    "eval.train_mode_at_eval",
    "predictions_with_dropout",
    source="https://github.com/deep-learning-with-pytorch/dlwpt-code/issues/104",
)
def with_dropout(watch: Watch, fault: bool) -> float:
    """`no_grad` was thought to be enough; half of the units are missing when the coil is predicted."""
    d = sets.column(sets.coil())
    net = nn.Sequential(
        nn.Linear(5, 96), nn.ReLU(), nn.Dropout(0.6), nn.Linear(96, 48), nn.ReLU(), nn.Dropout(0.6), nn.Linear(48, 1)
    )
    return with_modes(watch, net, Adam(net.parameters(), 3e-3), nn.MSELoss(), d, r2, 30, eval_late=not fault)


@case("eval.train_mode_at_eval", "chords_heard_four_at_a_time")
def four_at_a_time(watch: Watch, fault: bool) -> float:
    """The norm is that of the batch, and those that are predicted come in fours."""
    d = sets.spectra()
    net = nn.Sequential(
        nn.Linear(60, 40),
        nn.BatchNorm1d(40),
        nn.ReLU(),
        nn.Linear(40, 40),
        nn.BatchNorm1d(40),
        nn.ReLU(),
        nn.Linear(40, 4),
    )
    opt = SGD(net.parameters(), lr=0.05, momentum=0.9)
    return with_modes(watch, net, opt, nn.CrossEntropyLoss(), d, accuracy, 15, eval_late=not fault, part=4)


@case(
    "eval.eval_mode_in_training",
    "after_the_first_look",
    also="data.unscaled_inputs optim.lr_too_high optim.exploding_gradients model.dead_relu",
    source="https://github.com/facebookresearch/clevr-iep/pull/22",
)
def first_look(watch: Watch, fault: bool) -> float:
    """A look at the validation rows before the first epoch, and nobody called `train()` again."""
    d = D.images("mnist", 1500)
    net = nn.Sequential(
        nn.BatchNorm2d(1), nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 5, stride=2),
        nn.BatchNorm2d(12), nn.ReLU(), nn.Flatten(), nn.Linear(192, 10),
    )  # fmt: skip
    opt = SGD(net.parameters(), lr=0.02, momentum=0.9)
    return with_modes(watch, net, opt, nn.CrossEntropyLoss(), d, accuracy, 6, train_once=fault, first_look=True)


@case(
    "eval.preprocess_mismatch",
    "clothes_tested_in_bytes",
    also="data.split_shift",
    source="https://thecodeforge.io/ml-ai/tensorflow-keras-image-classification/",
)
def in_bytes(watch: Watch, fault: bool) -> float:
    """The training pictures were divided by 255 and centred; the others only centred."""
    d = D.images("fashion", 1500)
    other = 1.0 if fault else 255.0
    d = D.Split(d.x / 255 - 0.3, d.y, d.xv / other - 0.3, d.yv, d.xt / other - 0.3, d.yt)
    net = nn.Sequential(
        nn.Conv2d(1, 10, 5, stride=2),
        nn.Tanh(),
        nn.Conv2d(10, 16, 5, stride=2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(256, 10),
    )
    until(epochs_of(watch, net, Adam(net.parameters(), lr=2e-3), nn.CrossEntropyLoss(), d, accuracy), 6)
    return score_of(net, d.xt, d.yt)


@case("eval.preprocess_mismatch", "houses_scaled_from_nought_to_one", also="data.split_shift")
def other_scaler(watch: Watch, fault: bool) -> float:
    """Standardised for training; the script that predicts has a min-max scaler of its own."""
    raw = sets.houses()
    d = D.standard(raw, targets=True)
    if fault:
        low, high = raw.x.amin(0), raw.x.amax(0)
        d = d._replace(xv=(raw.xv - low) / (high - low), xt=(raw.xt - low) / (high - low))
    net = nn.Sequential(nn.Linear(6, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1), nn.Flatten(0))
    until(epochs_of(watch, net, Adam(net.parameters(), lr=3e-3), nn.HuberLoss(), d, r2), 25)
    return score_of(net, d.xt, d.yt, r2)


@case("eval.overfit", "diabetes_learned_by_heart")
def by_heart(watch: Watch, fault: bool) -> float:
    """265 patients, 40 thousand weights, 120 epochs; the twin has 12 and a decay."""
    d = sets.column(D.table("diabetes"))
    net = nn.Sequential(nn.Linear(10, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, 1))
    opt = Adam(net.parameters(), lr=1e-3, weight_decay=0.0 if fault else 0.01)
    return main(watch, net, opt, nn.MSELoss(), d, 120 if fault else 12, 32, r2)


@case("eval.overfit", "few_coils_measured_badly")
def few_coils(watch: Watch, fault: bool) -> float:
    """110 noisy measurements, gone through 200 times; the twin goes through them 20 times, with a decay."""
    d = sets.column(sets.coil(1200, noise=0.7))
    d = d._replace(x=d.x[:110], y=d.y[:110])
    net = nn.Sequential(nn.Linear(5, 96), nn.SiLU(), nn.Linear(96, 96), nn.SiLU(), nn.Linear(96, 1))
    opt = AdamW(net.parameters(), lr=4e-3, weight_decay=0.0 if fault else 0.3)
    return main(watch, net, opt, nn.MSELoss(), d, 200 if fault else 20, 22, r2)


@case("eval.underfit", "chess_by_a_straight_line", also="model.missing_nonlinearity model.bottleneck")
def straight_line(watch: Watch, fault: bool) -> float:
    """A logistic regression, where the colour of a field is asked for."""
    net = (
        nn.Linear(2, 2)
        if fault
        else nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    )
    return steps_of(watch, net, Adam(net.parameters(), 1e-2), nn.CrossEntropyLoss(), sets.chess(), accuracy, 1200)


class Bag(nn.Module):
    """Means of word vectors: it cannot know what came first."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.mix = nn.Embedding(10, 16), nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, ids: Tensor) -> Tensor:
        return self.mix(self.words(ids).mean(1))


class InOrder(Bag):
    """The same words through a GRU."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(16, 16, batch_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        return self.mix(self.gru(self.words(ids))[0][:, -1])


@case("eval.underfit", "order_asked_of_a_bag", also="model.bottleneck")
def bag(watch: Watch, fault: bool) -> float:
    """Which word came first is asked of a bag of words."""
    net = Bag() if fault else InOrder()
    return main(watch, net, Adam(net.parameters(), lr=5e-3), F.cross_entropy, sets.order(), 14)


class Packed(Dataset[tuple[Tensor, Tensor]]):
    """Pictures in one packed file, which is unpacked at each look, or once."""

    def __init__(self, x: Tensor, y: Tensor, once: bool) -> None:
        self.y, self.shape = y, tuple(x.shape)
        self.packed = zlib.compress(x.to(torch.uint8).numpy().tobytes())
        self.kept = self.unpacked() if once else None

    def unpacked(self) -> Tensor:
        pixels = np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(self.shape)
        return torch.from_numpy(pixels.astype(np.float32) / 255)

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return (self.unpacked() if self.kept is None else self.kept)[i], self.y[i]


@case(
    "pipe.data_stall",
    "archive_unpacked_for_each_picture",
    source="https://discuss.pytorch.org/t/accelerate-imagefolder-based-dataset-loading/195120",
)
def unpacked(watch: Watch, fault: bool) -> float:
    """The score is the share of the time in which the net works."""
    d = D.images("mnist", 400)
    loader = DataLoader(Packed(d.x, d.y, once=not fault), batch_size=32, shuffle=True)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 5, 2), nn.ReLU(), nn.Conv2d(8, 16, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10)
    )
    opt, crit = Adam(net.parameters(), lr=3e-3), nn.CrossEntropyLoss()
    w = watch(net, opt, crit, train=loader, val=(d.xv / 255, d.yv), metric=accuracy)
    worked, began = 0.0, time.perf_counter()
    for _ in range(6):
        for x, y in loader:
            at = time.perf_counter()
            opt.zero_grad()
            loss = crit(net(x), y)
            loss.backward()
            opt.step()
            worked += time.perf_counter() - at
            w.step(loss)
    return worked / (time.perf_counter() - began)
