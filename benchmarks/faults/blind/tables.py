"""Tables as they come: raw units, far from zero, targets in dollars and years, numbers that are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.utils.data import DataLoader, TensorDataset

from .. import data as D
from ..case import case
from ..loops import Watch
from ..nets import Score, accuracy, r2, score_of
from . import sets


def epochs_of(
    watch: Watch,
    net: nn.Module,
    opt: Optimizer,
    loss_fn: Callable[..., Tensor],
    d: D.Split,
    score: Score,
    size: int = 32,
) -> Iterator[int]:
    """Trains an epoch and validates before each number that it gives, for ever."""
    train = DataLoader(TensorDataset(d.x, d.y), size, shuffle=True)
    val = DataLoader(TensorDataset(d.xv, d.yv), 256)
    seen = watch(net, opt, loss_fn, train=train, val=val, metric=score)
    epoch = 0
    while True:
        net.train()
        for x, y in train:
            opt.zero_grad()
            loss = loss_fn(net(x), y)
            loss.backward()
            opt.step()
            seen.step(loss.item())
        net.eval()
        with torch.no_grad():
            z = torch.cat([net(x) for x, _ in val])
            seen.validated(loss=loss_fn(z, d.yv).item(), metric=score(z, d.yv))
        epoch += 1
        yield epoch


def until(epochs: Iterator[int], last: int) -> None:
    """Runs so many epochs."""
    for epoch in epochs:
        if epoch >= last:
            return


class HousePrice(nn.Module):
    """Two hidden layers with a skip from the table to the end."""

    def __init__(self, columns: int = 6, width: int = 48) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(columns, width), nn.Linear(width, width)
        self.out, self.skip = nn.Linear(width, 1), nn.Linear(columns, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = F.silu(self.b(F.silu(self.a(x))))
        return (self.out(h) + self.skip(x)).squeeze(-1)


@case(
    "data.unscaled_inputs",
    "houses_in_feet_and_dollars",
    also="optim.lr_too_high optim.exploding_gradients",
    source="https://stats.stackexchange.com/questions/372762",
)
def houses_raw(watch: Watch, fault: bool) -> float:
    """Lots of 6600 square feet beside 3 rooms; the price's logarithm was standardised, the table was not."""
    d = sets.houses()
    logs = [t.log() for t in (d.y, d.yv, d.yt)]
    y, yv, yt = ((t - logs[0].mean()) / logs[0].std() for t in logs)
    d = D.Split(d.x, y, d.xv, yv, d.xt, yt)
    d = d if fault else D.standard(d)
    net = HousePrice()
    until(epochs_of(watch, net, Adam(net.parameters(), lr=2e-3), nn.SmoothL1Loss(), d, r2), 40)
    return score_of(net, d.xt, d.yt, r2)


class LoadGRU(nn.Module):
    def __init__(self, hidden: int = 24) -> None:
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, 24), nn.ReLU(), nn.Linear(24, 1))

    def forward(self, x: Tensor) -> Tensor:
        _, h = self.gru(x)
        return self.head(h[-1]).flatten()


@case("data.unscaled_inputs", "grid_load_in_megawatts", also="model.saturated_activation optim.vanishing_gradients")
def load_raw(watch: Watch, fault: bool) -> float:
    """The GRU gets 42000 where it should get 0; only the target was scaled."""
    d = sets.load()
    y, yv, yt = ((t - 42000) / 6000 for t in (d.y, d.yv, d.yt))
    d = D.Split(d.x, y, d.xv, yv, d.xt, yt)
    if not fault:
        d = sets.over(d, lambda x: (x - 42000) / 6000)
    net = LoadGRU()
    until(epochs_of(watch, net, Adam(net.parameters(), lr=8e-3), nn.MSELoss(), d, r2, size=48), 60)
    return score_of(net, d.xt, d.yt, r2)


@case(
    "data.all_positive_inputs",
    "spectra_on_a_high_baseline",
    also="data.unscaled_inputs model.saturated_activation",
)
def baseline(watch: Watch, fault: bool) -> float:
    """Absorbances of 6 and a little more; what tells the substances apart is the little."""
    d = sets.spectra(offset=6.0)
    if not fault:
        mean = d.x.mean(0)
        d = sets.over(d, lambda x: x - mean)
    net = nn.Sequential(nn.Linear(60, 32), nn.Tanh(), nn.Linear(32, 4))
    until(epochs_of(watch, net, SGD(net.parameters(), lr=0.02), nn.CrossEntropyLoss(), d, accuracy), 60)
    return score_of(net, d.xt, d.yt)


YEARS = "optim.lr_too_low optim.too_few_epochs eval.underfit"


@case(
    "data.target_unscaled",
    "songs_by_the_year",
    also=YEARS,
    source="https://discuss.pytorch.org/t/neural-network-could-not-learn-on-this-type-of-data-why/96648/5",
)
def years(watch: Watch, fault: bool) -> float:
    """The year as it is written: about 1998, give or take ten."""
    d = sets.column(sets.songs())
    if not fault:
        mean, sd = d.y.mean(), d.y.std()
        d = D.Split(*((t - mean) / sd if i % 2 else t for i, t in enumerate(d)))
    net = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    until(epochs_of(watch, net, Adam(net.parameters(), lr=1e-3), nn.MSELoss(), d, r2, size=20), 40)
    return score_of(net, d.xt, d.yt, r2)


@case("data.target_unscaled", "houses_priced_in_dollars", also=YEARS)
def dollars(watch: Watch, fault: bool) -> float:
    """The table was standardised; the price stayed a number of six digits, under a mean absolute error."""
    d = D.standard(sets.houses())
    if not fault:
        mean, sd = d.y.mean(), d.y.std()
        d = D.Split(*((t - mean) / sd if i % 2 else t for i, t in enumerate(d)))
    net = HousePrice(width=64)
    opt = AdamW(net.parameters(), lr=3e-3, weight_decay=1e-4)
    until(epochs_of(watch, net, opt, nn.L1Loss(), d, r2), 40)
    return score_of(net, d.xt, d.yt, r2)


@case("data.nonfinite", "logarithm_of_empty_pixels")
def logarithm(watch: Watch, fault: bool) -> float:
    """Grey levels of digits on a logarithmic scale: an empty pixel is minus infinity."""
    d = D.raw("digits")
    d = sets.over(d, (lambda x: x.log()) if fault else (lambda x: x.log1p() - 1))
    net = nn.Sequential(nn.Linear(64, 40), nn.LayerNorm(40), nn.GELU(), nn.Linear(40, 10))
    until(epochs_of(watch, net, Adam(net.parameters(), lr=2e-3), nn.CrossEntropyLoss(), d, accuracy), 10)
    return score_of(net, d.xt, d.yt)


@case("data.nonfinite", "shares_of_words_in_empty_notes")
def shares(watch: Watch, fault: bool) -> float:
    """Counts of words divided by their sum; eleven notes are empty, and nought by nought is no number."""
    d = sets.topics()
    counts = torch.zeros(len(d.x), 400).scatter_add_(1, d.x, torch.ones(d.x.shape))
    counts[::83] = 0

    def share(ids: Tensor) -> Tensor:
        found = torch.zeros(len(ids), 400).scatter_add_(1, ids, torch.ones(ids.shape))
        return found / found.sum(1, keepdim=True) * 20

    total = counts.sum(1, keepdim=True)
    x = counts / (total if fault else total.clamp_min(1)) * 20
    d = D.Split(x, d.y, share(d.xv), d.yv, share(d.xt), d.yt)
    net = nn.Sequential(nn.Linear(400, 32), nn.ReLU(), nn.Linear(32, 6))
    until(epochs_of(watch, net, SGD(net.parameters(), lr=0.1, momentum=0.9), nn.CrossEntropyLoss(), d, accuracy), 8)
    return score_of(net, d.xt, d.yt)
