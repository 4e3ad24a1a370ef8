"""Nets of the wrong form: nothing bends between the layers, the head does not fit, the middle is too narrow."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam, AdamW

from .. import data as D
from ..case import case
from ..loops import Watch
from ..nets import Score, accuracy, r2, score_of, side
from . import sets


def steps_of(
    watch: Watch, net: nn.Module, opt: torch.optim.Optimizer, loss_fn: Callable[..., Tensor], d: D.Split, score: Score,
    steps: int, size: int = 32, every: int = 60,
) -> float:  # fmt: skip
    """Random rows each step, a look at the validation rows now and then; the score on the test rows."""
    seen = watch(net, opt, loss_fn, train=(d.x, d.y), val=(d.xv, d.yv), metric=score)
    for step in range(1, steps + 1):
        net.train()
        rows = torch.randint(len(d.x), (size,))
        opt.zero_grad(set_to_none=True)
        loss = loss_fn(net(d.x[rows]), d.y[rows])
        loss.backward()
        opt.step()
        seen.step(loss.detach())
        if step % every == 0:
            net.eval()
            with torch.no_grad():
                z = net(d.xv)
                seen.validated(loss=float(loss_fn(z, d.yv)), metric=score(z, d.yv))
    return score_of(net, d.xt, d.yt, score)


class ThreeLayers(nn.Module):
    def __init__(self, bend: bool, dims: tuple[int, int, int] = (2, 64, 3)) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dims[0], dims[1])
        self.fc2 = nn.Linear(dims[1], dims[1])
        self.fc3 = nn.Linear(dims[1], dims[2])
        self.drop = nn.Dropout(0.05)
        self.bend = bend

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x)
        if self.bend:
            x = F.relu(x)
        x = self.drop(self.fc2(x))
        if self.bend:
            x = F.relu(x)
        return self.fc3(x)


@case("model.missing_nonlinearity", "spiral_arms_through_three_lines", also="eval.underfit")
def three_lines(watch: Watch, fault: bool) -> float:
    net = ThreeLayers(not fault)
    opt = AdamW(net.parameters(), lr=6e-3)
    return steps_of(watch, net, opt, nn.CrossEntropyLoss(), sets.spirals(turns=0.8), accuracy, 700)


@case("model.missing_nonlinearity", "chords_through_filters_alone", also="eval.underfit")
def filters(watch: Watch, fault: bool) -> float:
    """Three convolutions and a mean over time, and nobody wrote the ReLUs."""
    act = nn.Identity if fault else nn.ReLU
    net = nn.Sequential(
        nn.Conv1d(1, 12, 9), act(), nn.Conv1d(12, 16, 7, stride=2), act(), nn.Conv1d(16, 24, 5, stride=2), act(),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(24, 6),
    )  # fmt: skip
    return steps_of(watch, net, Adam(net.parameters(), lr=4e-3), nn.CrossEntropyLoss(), sets.tones(), accuracy, 350)


@case("model.wrong_output_activation", "no_price_is_below_nought")
def below_nought(watch: Watch, fault: bool) -> float:
    """A ReLU at the end, since prices are positive; but the target was standardised."""
    d = sets.column(D.standard(sets.houses(), targets=True))
    end = nn.ReLU() if fault else nn.Identity()
    net = nn.Sequential(nn.Linear(6, 48), nn.ELU(), nn.Linear(48, 32), nn.ELU(), nn.Linear(32, 1), end)
    return steps_of(watch, net, Adam(net.parameters(), lr=2e-3), nn.MSELoss(), d, r2, 700)


class Forecast(nn.Module):
    def __init__(self, squash: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.lstm, self.fc = nn.LSTM(1, 20, batch_first=True), nn.Linear(20, 1)
        self.squash = squash

    def forward(self, x: Tensor) -> Tensor:
        return self.squash(self.fc(self.lstm(x)[0][:, -1]))[:, 0]


@case("model.wrong_output_activation", "load_between_nought_and_one")
def nought_and_one(watch: Watch, fault: bool) -> float:
    """A sigmoid stayed from the days of the min-max scaling; the curve now goes from −2 to 2."""
    d = sets.load()
    d = D.Split(*((t - 42000) / 6000 for t in d))
    net = Forecast(torch.sigmoid if fault else lambda z: z)
    return steps_of(watch, net, Adam(net.parameters(), lr=8e-3), F.mse_loss, d, r2, 800)


@case(
    "model.wrong_output_size",
    "leavers_are_minus_one_and_one",
    also="loss.logits_as_probs",
    source="https://www.codegenes.net/blog/pytorch-bce-below-0",
)
def minus_one(watch: Watch, fault: bool) -> float:
    """Labels of −1 and 1 under a loss that wants 0 and 1."""
    d = sets.floats(sets.churn(1400, share=0.45))
    if fault:
        d = D.Split(*(2 * t - 1 if i % 2 else t for i, t in enumerate(d)))
    net = ThreeLayers(True, (12, 32, 1))
    loss_fn = nn.BCEWithLogitsLoss()
    return steps_of(
        watch, net, Adam(net.parameters(), lr=2e-3), lambda z, y: loss_fn(z[:, 0], y), d,
        lambda z, y: side(z[:, 0], (y > 0).float()), 400,
    )  # fmt: skip


@case("model.wrong_output_size", "three_wines_and_one_unit", also="loss.logits_as_probs")
def one_unit(watch: Watch, fault: bool) -> float:
    """One unit and a binary loss, for kinds 0, 1 and 2."""
    d = D.table("wine")
    if not fault:
        net = nn.Sequential(nn.Linear(13, 20), nn.Tanh(), nn.Linear(20, 3))
        return steps_of(watch, net, Adam(net.parameters(), lr=5e-3), F.cross_entropy, d, accuracy, 300, 16)
    net = nn.Sequential(nn.Linear(13, 20), nn.Tanh(), nn.Linear(20, 1))

    def loss_fn(z: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(z, y.float().unsqueeze(1))

    def rounded(z: Tensor, y: Tensor) -> float:
        return float((torch.sigmoid(z[:, 0]).mul(2).round() == y).float().mean())

    return steps_of(watch, net, Adam(net.parameters(), lr=5e-3), loss_fn, d, rounded, 300, 16)


class BagOfNotes(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(400, width)
        self.narrow = nn.Linear(width, width)
        self.out = nn.Linear(width, 6)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(torch.tanh(self.narrow(self.table(ids).mean(1))))


@case("model.bottleneck", "six_topics_on_one_number", also="eval.underfit")
def one_number(watch: Watch, fault: bool) -> float:
    """A table of one number a word, to save memory."""
    net = BagOfNotes(1 if fault else 16)
    d = sets.topics(1500, share=0.45)
    return steps_of(watch, net, Adam(net.parameters(), lr=0.01), nn.CrossEntropyLoss(), d, accuracy, 700)


class Squeeze(nn.Module):
    """An autoencoder of pictures of 28 × 28."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Flatten(), nn.Linear(784, 96), nn.ReLU(), nn.Linear(96, code))
        self.up = nn.Sequential(nn.Linear(code, 96), nn.ReLU(), nn.Linear(96, 784))

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.down(x))


@case("model.bottleneck", "clothes_through_two_numbers", also="eval.underfit")
def two_numbers(watch: Watch, fault: bool) -> float:
    """A code of two "so that it can be drawn", and the pictures are wanted back."""
    d = D.scaled(D.images("fashion", 1500))
    d = D.Split(d.x, d.x.flatten(1), d.xv, d.xv.flatten(1), d.xt, d.xt.flatten(1))
    net = Squeeze(2 if fault else 24)
    return steps_of(watch, net, Adam(net.parameters(), lr=2e-3), nn.MSELoss(), d, r2, 500)
