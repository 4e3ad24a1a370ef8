"""Nets that begin badly: equal units, weights too small or too large, units that are flat or dead."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from .. import data as D
from ..case import case
from ..loops import Watch
from ..nets import Score, accuracy, r2, score_of
from . import sets


@dataclass
class Experiment:
    """What a run needs; `go` trains for so many epochs and scores the test rows."""

    net: nn.Module
    optimizer: Optimizer
    criterion: Any
    data: D.Split
    metric: Score = accuracy
    size: int = 32
    losses: list[float] = field(default_factory=list)

    def go(self, watch: Watch, epochs: int) -> float:
        d = self.data
        seen = watch(self.net, self.optimizer, self.criterion, train=(d.x, d.y), val=(d.xv, d.yv), metric=self.metric)
        for _ in range(epochs):
            self.net.train()
            for rows in torch.randperm(len(d.x)).split(self.size):
                loss = self.criterion(self.net(d.x[rows]), d.y[rows])
                self.net.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.losses.append(loss.item())
                seen.step(loss)
            self.net.eval()
            with torch.inference_mode():
                out = self.net(d.xv)
                seen.validated(loss=self.criterion(out, d.yv).item(), metric=self.metric(out, d.yv))
        return score_of(self.net, d.xt, d.yt, self.metric)


class Factors(nn.Module):
    """A user's vector times an item's, and what each adds by itself."""

    def __init__(self, equal: bool, width: int = 8) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(90, width), nn.Embedding(70, width)
        self.user_bias, self.item_bias = nn.Embedding(90, 1), nn.Embedding(70, 1)
        for table in (self.user, self.item):
            if equal:
                nn.init.constant_(table.weight, 0.3)
            else:
                nn.init.normal_(table.weight, std=0.3)
        for table in (self.user_bias, self.item_bias):
            nn.init.zeros_(table.weight)

    def forward(self, pairs: Tensor) -> Tensor:
        u, i = pairs.unbind(1)
        return (self.user(u) * self.item(i)).sum(1) + self.user_bias(u)[:, 0] + self.item_bias(i)[:, 0]


@case("model.symmetric_init", "ratings_from_equal_factors", also="model.bottleneck eval.underfit")
def equal_factors(watch: Watch, fault: bool) -> float:
    """All factors begin at the same number, so the eight of them stay one."""
    net = Factors(fault)
    opt = AdamW(net.parameters(), lr=0.02, weight_decay=0.02)
    return Experiment(net, opt, nn.MSELoss(), sets.ratings(), r2, 64).go(watch, 20)


def wave_net(act: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(1, 12, 11, stride=3), act(), nn.Conv1d(12, 16, 7, stride=2), act(), nn.Flatten(),
        nn.Linear(192, 32), act(), nn.Linear(32, 6),
    )  # fmt: skip


@case("model.symmetric_init", "every_parameter_a_fiftieth", also="model.bottleneck optim.vanishing_gradients")
def a_fiftieth(watch: Watch, fault: bool) -> float:
    """To be reproducible, all parameters were filled with one number."""
    net = wave_net()
    if fault:
        for p in net.parameters():
            p.data.fill_(0.02)
    return Experiment(net, Adam(net.parameters(), lr=3e-3), nn.CrossEntropyLoss(), sets.tones()).go(watch, 12)


@case("model.init_too_small", "seven_layers_of_a_hundredth", also="optim.vanishing_gradients optim.lr_too_low")
def hundredth(watch: Watch, fault: bool) -> float:
    """`normal_(0, 0.01)`, as the first deep nets had it, in a net of seven plain layers."""
    sizes = (60, 48, 48, 48, 48, 48, 48, 4)
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), nn.LeakyReLU(0.1)]
        if fault:
            nn.init.normal_(layers[-2].weight, 0, 0.01)  # type: ignore[arg-type]
        else:
            nn.init.kaiming_normal_(layers[-2].weight, 0.1)  # type: ignore[arg-type]
        nn.init.zeros_(layers[-2].bias)  # type: ignore[arg-type]
    net = nn.Sequential(*layers[:-1])
    opt = SGD(net.parameters(), lr=0.02, momentum=0.9)
    return Experiment(net, opt, nn.CrossEntropyLoss(), sets.spectra()).go(watch, 20)


class TiedGRU(nn.Module):
    """Letters in, letters out, through one and the same table."""

    def __init__(self, sd: float, width: int = 48) -> None:
        super().__init__()
        self.table = nn.Embedding(27, width)
        nn.init.normal_(self.table.weight, std=sd)
        self.rnn = nn.GRU(width, width, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, ids: Tensor) -> Tensor:
        h, _ = self.rnn(self.table(ids))
        return F.linear(self.norm(h), self.table.weight)


def letter_loss(z: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(z.flatten(0, 1), y.flatten())


def letter_gain(z: Tensor, y: Tensor) -> float:
    """Share of the bits of 27 equal letters that are saved."""
    return 1 - letter_loss(z, y).item() / math.log(27)


@case(
    "model.init_too_large",
    "tied_letters_with_an_sd_of_three",
    also="optim.lr_too_low optim.exploding_gradients",
    source="https://github.com/huggingface/transformers/pull/26441",
)
def tied(watch: Watch, fault: bool) -> float:
    """The table of letters is also the last layer; its numbers suit the one use and not the other."""
    net = TiedGRU(3.0 if fault else 0.1)
    opt = Adam(net.parameters(), lr=4e-3)
    return Experiment(net, opt, letter_loss, sets.letters(16, 2500), letter_gain, 32).go(watch, 9)


class FromScratch(nn.Module):
    """Layers of bare parameters."""

    def __init__(self, *sizes: int, gain: float) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(sizes))
        self.ws = nn.ParameterList(torch.randn(a, b) * (math.sqrt(a) ** gain) for a, b in pairs)
        self.bs = nn.ParameterList(torch.zeros(b) for _, b in pairs)

    def forward(self, x: Tensor) -> Tensor:
        for i, (w, b) in enumerate(zip(self.ws, self.bs, strict=True)):
            x = x @ w + b
            if i < len(self.ws) - 1:
                x = torch.tanh(x)
        return x


@case("model.init_too_large", "times_the_root_of_its_inputs", also="model.saturated_activation optim.lr_too_high")
def times_root(watch: Watch, fault: bool) -> float:
    """Xavier's rule from memory: multiplied by the root where one divides by it."""
    net = FromScratch(5, 32, 32, 1, gain=1.0 if fault else -1.0)
    d = sets.column(sets.coil(900))
    return Experiment(net, Adam(net.parameters(), lr=4e-3), nn.MSELoss(), d, r2).go(watch, 30)


class OrderLSTM(nn.Module):
    def __init__(self, fill: float) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 12)
        self.lstm = nn.LSTM(12, 24, batch_first=True)
        self.out = nn.Linear(24, 2)
        for name, p in self.lstm.named_parameters():
            if "bias" in name:
                p.data[24:48] = 0.5
                if fill:
                    nn.init.constant_(p, fill)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.lstm(self.words(ids))[0][:, -1])


@case("model.saturated_activation", "all_gates_open_not_one", also="optim.vanishing_gradients optim.lr_too_low")
def all_gates(watch: Watch, fault: bool) -> float:
    """The forget gate should begin open; the whole bias was set, and the cell's tanh is flat too."""
    net = OrderLSTM(4.0 if fault else 0.0)
    return Experiment(net, SGD(net.parameters(), lr=0.3, momentum=0.9), nn.CrossEntropyLoss(), sets.order()).go(
        watch, 14
    )


class Sharp(nn.Module):
    """A soft switch of some temperature."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / self.temperature)


@case("model.saturated_activation", "switches_of_a_low_temperature", also="optim.vanishing_gradients model.bottleneck")
def low_temperature(watch: Watch, fault: bool) -> float:
    """A temperature of 0.01 "to make them decide"."""
    t = 0.01 if fault else 1.0
    net = nn.Sequential(nn.Linear(5, 20), Sharp(t), nn.Linear(20, 20), Sharp(t), nn.Linear(20, 1))
    d = sets.column(sets.coil(900))
    return Experiment(net, RMSprop(net.parameters(), lr=2e-3), nn.L1Loss(), d, r2, 24).go(watch, 25)


@case("model.dead_relu", "decibels_under_positive_weights", also="model.init_too_small optim.vanishing_gradients")
def positive(watch: Watch, fault: bool) -> float:
    """Decibels are below nought and the weights begin above it: no unit of the first layer ever opens."""
    net = nn.Sequential(nn.Linear(49, 40), nn.ReLU(), nn.Linear(40, 24), nn.ReLU(), nn.Linear(24, 6))
    if fault:
        nn.init.uniform_(net[0].weight, 0, 0.3)  # type: ignore[arg-type]
        nn.init.zeros_(net[0].bias)  # type: ignore[arg-type]
    d = sets.decibels()
    return Experiment(net, Adam(net.parameters(), lr=2e-3), nn.CrossEntropyLoss(), d).go(watch, 14)


@case("model.dead_relu", "prior_of_the_rare_in_every_layer", also="model.bottleneck optim.vanishing_gradients")
def prior_everywhere(watch: Watch, fault: bool) -> float:
    """The last bias should begin at the share of the disc's pixels; the loop set all of them."""
    net = nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1)
    )
    for conv in [m for m in net if isinstance(m, nn.Conv2d)][0 if fault else 2 :]:
        nn.init.constant_(conv.bias, -2.9)  # type: ignore[arg-type]
    opt = Adam(net.parameters(), lr=3e-3)
    return Experiment(net, opt, nn.BCEWithLogitsLoss(), sets.discs(), dice, 20).go(watch, 15)


def dice(z: Tensor, y: Tensor) -> float:
    """Twice the overlap over the sum, at a logit of 0."""
    guess = (z > 0).float()
    return float(2 * (guess * y).sum() / (guess.sum() + y.sum()).clamp_min(1))
