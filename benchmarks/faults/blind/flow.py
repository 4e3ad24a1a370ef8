"""Gradients that grow, fade, pile up or do not arrive; norms over two rows; penalties that win."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, RMSprop
from torch.utils.data import DataLoader, TensorDataset

from .. import data as D
from ..case import case
from ..loops import Watch
from ..nets import accuracy, r2, score_of
from . import sets
from .costs import letters_loss, main
from .heads import steps_of
from .layers import dice, letter_gain
from .pairs import small_conv

EXPLODE = "optim.lr_too_high model.init_too_large"


class Echo(nn.Module):
    """A recurrent net of bare parameters with a ReLU, read out at its end."""

    def __init__(self, gain: float, width: int = 32) -> None:
        super().__init__()
        self.into, self.back = nn.Linear(1, width), nn.Parameter(torch.empty(width, width))
        self.out = nn.Linear(width, 1)
        nn.init.orthogonal_(self.back, gain)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(x.shape[0], self.back.shape[0])
        for t in range(x.shape[1]):
            h = torch.relu(self.into(x[:, t]) + h @ self.back)
        return self.out(h).squeeze(1)


@case("optim.exploding_gradients", "echo_of_forty_eight_hours", also=EXPLODE + " model.dead_relu")
def echo(watch: Watch, fault: bool) -> float:
    """A ReLU that feeds itself for 48 hours, with weights a little above one."""
    d = D.Split(*((t - 42000) / 6000 for t in sets.load(700, 48)))
    net = Echo(1.7 if fault else 0.9)
    return main(watch, net, Adam(net.parameters(), lr=3e-3), nn.MSELoss(), d, 30, 32, r2)


class Tower(nn.Module):
    """Blocks that add to what comes in, with a norm before each or without."""

    def __init__(self, norm: bool, depth: int = 18, width: int = 40) -> None:
        super().__init__()
        self.stem, self.head = nn.Linear(49, width), nn.Linear(width, 6)
        self.norms = nn.ModuleList(nn.LayerNorm(width) if norm else nn.Identity() for _ in range(depth))
        self.inner = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(depth))
        self.outer = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(depth))
        for layer in (*self.inner, *self.outer):
            nn.init.kaiming_normal_(layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for norm, a, b in zip(self.norms, self.inner, self.outer, strict=True):
            x = x + b(F.relu(a(norm(x))))
        return self.head(x)


@case("optim.exploding_gradients", "tower_without_its_norms", also=EXPLODE + " model.dead_relu")
def tower(watch: Watch, fault: bool) -> float:
    """Eighteen blocks, each of which doubles the variance; the paper had a norm before each."""
    net = Tower(not fault)
    opt = Adam(net.parameters(), lr=1e-3)
    return main(watch, net, opt, nn.CrossEntropyLoss(), sets.decibels(), 8)


FADE = "model.saturated_activation model.init_too_small optim.lr_too_low optim.too_few_epochs eval.underfit"


@case("optim.vanishing_gradients", "nine_filters_with_sigmoids", also=FADE)
def nine_filters(watch: Watch, fault: bool) -> float:
    act = nn.Sigmoid if fault else nn.ReLU
    layers: list[nn.Module] = [nn.Conv1d(1, 12, 7, stride=2), act()]
    for _ in range(7):
        layers += [nn.Conv1d(12, 12, 5, padding=2), act()]
    net = nn.Sequential(*layers, nn.AdaptiveMaxPool1d(3), nn.Flatten(), nn.Linear(36, 6))
    opt = RMSprop(net.parameters(), lr=5e-4)
    return steps_of(watch, net, opt, nn.CrossEntropyLoss(), sets.tones(), accuracy, 350)


class Memory(nn.Module):
    """Reads 30 numbers and is asked for the first three."""

    def __init__(self, cell: type[nn.Module]) -> None:
        super().__init__()
        self.rnn = cell(2, 32, batch_first=True)
        self.out = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.rnn(x)[0][:, -1]).squeeze(-1)


@case("optim.vanishing_gradients", "marked_numbers_thirty_steps_ago", also=FADE)
def marked(watch: Watch, fault: bool) -> float:
    """The sum of three marked numbers near the beginning; a tanh RNN forgets what a GRU keeps."""
    draw = torch.Generator().manual_seed(9)
    x = torch.rand(1400, 30, 2, generator=draw) - 0.5
    x[:, :, 1] = 0
    at = torch.rand(1400, 8, generator=draw).argsort(1)[:, :3]
    x[torch.arange(1400)[:, None], at, 1] = 1
    y = (x[:, :, 0] * x[:, :, 1]).sum(1) * 3
    d = D.Split(x[:1000], y[:1000], x[1000:1200], y[1000:1200], x[1200:], y[1200:])
    net = Memory(nn.RNN if fault else nn.GRU)
    if not fault:
        net.rnn.bias_hh_l0.data[32:64] = 2.0  # type: ignore[index, union-attr, operator]
    return main(watch, net, Adam(net.parameters(), lr=8e-3), nn.MSELoss(), d, 12, 32, r2)


@case(
    "optim.no_zero_grad",
    "name_without_its_brackets",
    also="optim.lr_too_high optim.momentum_too_high optim.exploding_gradients",
    source="https://thecodeforge.io/ml-ai/pytorch-training-loop/",
)
def brackets(watch: Watch, fault: bool) -> float:
    """`opt.zero_grad`, which names it and does nothing."""
    d = D.scaled(D.images("fashion", 1600))
    net, crit = small_conv(), nn.CrossEntropyLoss()
    opt = SGD(net.parameters(), lr=0.02)
    loader = DataLoader(TensorDataset(d.x, d.y), 32, shuffle=True)
    w = watch(net, opt, crit, train=loader, val=(d.xv, d.yv), metric=accuracy)
    for _ in range(7):
        for x, y in loader:
            if fault:
                opt.zero_grad  # noqa: B018
            else:
                opt.zero_grad()
            loss = crit(net(x), y)
            loss.backward()
            opt.step()
            w.step(loss)
        net.eval()
        with torch.no_grad():
            z = net(d.xv)
        net.train()
        w.validated(loss=crit(z, d.yv).item(), metric=accuracy(z, d.yv))
    return score_of(net, d.xt, d.yt)


@case(
    "optim.no_zero_grad",
    "cleared_before_the_inner_loop",
    also="optim.lr_too_high optim.momentum_too_high optim.exploding_gradients",
)
def before_the_loop(watch: Watch, fault: bool) -> float:
    """The gradients are cleared once an epoch; each of its batches steps on all before it."""
    d = D.standard(sets.houses(), targets=True)
    net = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1), nn.Flatten(0))
    opt = SGD(net.parameters(), lr=0.02, momentum=0.5)
    w = watch(net, opt, F.mse_loss, train=(d.x, d.y), val=(d.xv, d.yv), metric=r2)
    for _ in range(40):
        opt.zero_grad()
        for rows in torch.randperm(len(d.x)).split(32):
            if not fault:
                opt.zero_grad()
            loss = F.mse_loss(net(d.x[rows]), d.y[rows])
            loss.backward()
            opt.step()
            w.step(loss)
        with torch.no_grad():
            z = net(d.xv)
        w.validated(loss=F.mse_loss(z, d.yv).item(), metric=r2(z, d.yv))
    return score_of(net, d.xt, d.yt, r2)


class Listed(nn.Module):
    """Filters in a list of Python's, or in one of torch's."""

    def __init__(self, plain: bool) -> None:
        super().__init__()
        filters = [nn.Conv1d(1 if i == 0 else 10, 10, 7, stride=2) for i in range(3)]
        self.filters = filters if plain else nn.ModuleList(filters)
        self.head = nn.Linear(10, 6)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.filters:
            x = torch.relu(conv(x))
        return self.head(x.amax(-1))


@case(
    "optim.frozen_params",
    "filters_in_a_plain_list",
    also="eval.underfit",
    source="https://runebook.dev/ru/docs/pytorch/generated/torch.nn.modulelist/torch.nn.ModuleList",
)
def plain_list(watch: Watch, fault: bool) -> float:
    net = Listed(fault)
    return main(watch, net, Adam(net.parameters(), lr=4e-3), nn.CrossEntropyLoss(), sets.tones(), 14)


class Letters(nn.Module):
    """A GRU over letters; `cut` is what is left of a search for a leak of memory."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.table, self.rnn, self.out = nn.Embedding(27, 24), nn.GRU(24, 48, batch_first=True), nn.Linear(48, 27)
        self.cut = cut

    def forward(self, ids: Tensor) -> Tensor:
        h, _ = self.rnn(self.table(ids))
        return self.out(h.detach() if self.cut else h)


@case("optim.frozen_params", "states_detached_before_the_head", also="eval.underfit")
def detached(watch: Watch, fault: bool) -> float:
    net = Letters(fault)
    return main(watch, net, Adam(net.parameters(), lr=6e-3), letters_loss, sets.letters(16, 2500), 5, score=letter_gain)


class BodyAndHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU())
        self.head = nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


@case("optim.frozen_params", "optimiser_of_the_head_alone", also="eval.underfit")
def head_alone(watch: Watch, fault: bool) -> float:
    """Two lines from a tutorial on fine-tuning, in a net that nobody has trained."""
    net = BodyAndHead()
    opt = Adam(net.head.parameters() if fault else net.parameters(), lr=6e-3)
    return steps_of(watch, net, opt, F.cross_entropy, sets.spirals(), accuracy, 900)


@case(
    "optim.bn_small_batch",
    "houses_two_by_two",
    source="https://github.com/wolny/pytorch-3dunet/issues/53",
)
def two_by_two(watch: Watch, fault: bool) -> float:
    """Two rows a batch; of two rows a norm over the batch leaves the order alone."""
    d = sets.column(D.standard(sets.houses(700), targets=True))
    norm = nn.BatchNorm1d if fault else nn.LayerNorm
    net = nn.Sequential(nn.Linear(6, 32), norm(32), nn.ReLU(), nn.Linear(32, 32), norm(32), nn.ReLU(), nn.Linear(32, 1))
    return main(watch, net, Adam(net.parameters(), lr=1e-3), nn.MSELoss(), d, 7, 2, r2)


@case("optim.bn_small_batch", "chords_two_at_a_time")
def two_chords(watch: Watch, fault: bool) -> float:
    """Two recordings were all that the card could hold; after the pooling a norm sees two values a channel."""
    d = sets.tones(700, noise=1.0)
    net = nn.Sequential(
        nn.Conv1d(1, 12, 9, stride=2), nn.ReLU(), nn.Conv1d(12, 16, 7, stride=2), nn.ReLU(), nn.AdaptiveMaxPool1d(2),
        nn.Flatten(), nn.BatchNorm1d(32) if fault else nn.GroupNorm(4, 32), nn.Linear(32, 24),
        nn.BatchNorm1d(24) if fault else nn.GroupNorm(4, 24), nn.ReLU(), nn.Linear(24, 6),
    )  # fmt: skip
    return main(watch, net, Adam(net.parameters(), lr=2e-3), nn.CrossEntropyLoss(), d, 5, 2)


@case(
    "optim.over_regularised",
    "nine_tenths_dropped_not_kept",
    also="eval.underfit",
    source="https://blog.aayu.today/artificial-intelligence/pytorch/20200607-1",
)
def dropped(watch: Watch, fault: bool) -> float:
    """Elsewhere the number was the share that is kept."""
    p = 0.9 if fault else 0.1
    net = nn.Sequential(
        nn.Linear(60, 64), nn.ReLU(), nn.Dropout(p), nn.Linear(64, 32), nn.ReLU(), nn.Dropout(p), nn.Linear(32, 4)
    )
    return main(watch, net, Adam(net.parameters(), lr=2e-3), nn.CrossEntropyLoss(), sets.spectra(), 20)


@case("optim.over_regularised", "all_weights_in_the_loss", also="eval.underfit model.dead_relu")
def all_weights(watch: Watch, fault: bool) -> float:
    """The sum of all absolute weights, times a hundredth; its mean was meant."""
    net = nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 1, 1)
    )

    def rule(z: Tensor, y: Tensor) -> Tensor:
        sizes = torch.cat([p.abs().flatten() for p in net.parameters()])
        return F.binary_cross_entropy_with_logits(z, y) + 0.01 * (sizes.sum() if fault else sizes.mean())

    return main(watch, net, Adam(net.parameters(), lr=4e-3), rule, sets.discs(radius=3.5), 12, 20, dice)
