"""Steps too large, too small, too few, or that die away too soon; momentum that does not let go."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR, StepLR
from torch.utils.data import DataLoader, TensorDataset

from .. import data as D
from ..case import case
from ..loops import Watch
from ..nets import accuracy, r2, score_of
from . import sets
from .costs import Reader, letters_loss, main
from .heads import steps_of
from .layers import letter_gain, wave_net
from .pairs import Notes, small_conv
from .tables import HousePrice, LoadGRU

HIGH = "optim.exploding_gradients model.dead_relu model.saturated_activation"


@case("optim.lr_too_high", "letters_at_two_fifths", also=HIGH)
def letters_high(watch: Watch, fault: bool) -> float:
    """A rate that a word table took under plain descent, in a transformer under AdamW and without warm-up."""
    net = Reader(False)
    opt = AdamW(net.parameters(), lr=0.4 if fault else 0.005)
    return main(watch, net, opt, letters_loss, sets.letters(rows=3000), 7, score=letter_gain)


@case("optim.lr_too_high", "colour_pictures_with_momentum", also=HIGH)
def colour_high(watch: Watch, fault: bool) -> float:
    """A fifth, and Nesterov's momentum of 0.9 on top, in a plain net on CIFAR-10."""
    d = D.cifar(1600)
    mean, sd = d.x.mean((0, 2, 3), keepdim=True), d.x.std((0, 2, 3), keepdim=True)
    d = sets.over(d, lambda x: F.avg_pool2d((x - mean) / sd, 2))
    net = nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(384, 10),
    )  # fmt: skip
    opt = SGD(net.parameters(), lr=0.2 if fault else 0.02, momentum=0.9, nesterov=True)
    return steps_of(watch, net, opt, nn.CrossEntropyLoss(), d, accuracy, 350)


@case("optim.lr_too_low", "fine_tuning_rate_from_scratch", also="optim.too_few_epochs eval.underfit")
def fine_tuning(watch: Watch, fault: bool) -> float:
    """2e-5 is for a net that has learned; this one has not."""
    d = D.scaled(D.images("fashion", 1500))
    net = small_conv()
    opt = AdamW(net.parameters(), lr=2e-5 if fault else 2e-3, weight_decay=0.01)
    return main(watch, net, opt, nn.CrossEntropyLoss(), d, 6)


@case("optim.lr_too_low", "word_table_by_plain_descent", also="optim.too_few_epochs eval.underfit")
def word_table(watch: Watch, fault: bool) -> float:
    """Each word is seen seldom and in a mean of 24: a hundredth moves nothing."""
    net = nn.Sequential(nn.EmbeddingBag(400, 16), nn.Linear(16, 6))
    opt = SGD(net.parameters(), lr=0.01 if fault else 2.0)
    return steps_of(watch, net, opt, nn.CrossEntropyLoss(), sets.topics(share=0.45), accuracy, 800)


@case("optim.momentum_too_high", "houses_at_ninety_nine_and_a_half", also="optim.lr_too_high")
def houses_momentum(watch: Watch, fault: bool) -> float:
    d = D.standard(sets.houses(), targets=True)
    net = HousePrice()
    opt = SGD(net.parameters(), lr=0.01, momentum=0.995 if fault else 0.9)
    return steps_of(watch, net, opt, F.mse_loss, d, r2, 500)


@case("optim.momentum_too_high", "betas_the_wrong_way_round", also="optim.lr_too_high")
def betas(watch: Watch, fault: bool) -> float:
    """Adam's two numbers were swapped: 0.999 for the mean and 0.9 for the square."""
    net = wave_net()
    opt = Adam(net.parameters(), lr=3e-3, betas=(0.999, 0.9) if fault else (0.9, 0.999))
    return steps_of(watch, net, opt, nn.CrossEntropyLoss(), sets.tones(noise=1.0), accuracy, 300)


@case("optim.too_few_epochs", "load_curve_after_two_rounds", also="optim.lr_too_low eval.underfit")
def two_rounds(watch: Watch, fault: bool) -> float:
    d = D.Split(*((t - 42000) / 6000 for t in sets.load()))
    net = LoadGRU()
    return main(watch, net, Adam(net.parameters(), lr=5e-3), nn.MSELoss(), d, 2 if fault else 45, 32, r2)


@case("optim.too_few_epochs", "topics_after_two_looks", also="optim.lr_too_low eval.underfit")
def two_looks(watch: Watch, fault: bool) -> float:
    """Two epochs, because the large net of the paper needed no more."""
    net = Notes(width=16)
    opt = Adam(net.parameters(), lr=3e-3)
    return main(watch, net, opt, nn.CrossEntropyLoss(), sets.topics(1500, share=0.45), 2 if fault else 20)


@case(
    "optim.schedule_collapsed",
    "ten_epochs_counted_in_batches",
    also="optim.lr_too_low",
    source="https://bitsfolio.com/learning-rate-schedule-killing-model-convergence/",
)
def in_batches(watch: Watch, fault: bool) -> float:
    """A tenth every ten epochs, but stepped after each batch."""
    d = D.scaled(D.images("mnist", 1500))
    loader = DataLoader(TensorDataset(d.x, d.y), batch_size=32, shuffle=True)
    net, crit = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10)), nn.CrossEntropyLoss()
    opt = SGD(net.parameters(), lr=0.05, momentum=0.9)
    schedule = StepLR(opt, step_size=10, gamma=0.1)
    w = watch(net, opt, crit, train=loader, val=(d.xv, d.yv), metric=accuracy)
    for _ in range(12):
        for x, y in loader:
            opt.zero_grad()
            loss = crit(net(x), y)
            loss.backward()
            opt.step()
            w.step(loss)
            if fault:
                schedule.step()
        if not fault:
            schedule.step()
        with torch.no_grad():
            z = net(d.xv)
        w.validated(loss=crit(z, d.yv).item(), metric=accuracy(z, d.yv))
    return score_of(net, d.xt, d.yt)


@case("optim.schedule_collapsed", "warm_up_and_fall_within_an_epoch", also="optim.lr_too_low")
def within_an_epoch(watch: Watch, fault: bool) -> float:
    """Warm-up and cosine were given the number of epochs where they want that of steps."""
    d = sets.column(sets.coil())
    net = nn.Sequential(nn.Linear(5, 48), nn.GELU(), nn.Linear(48, 48), nn.GELU(), nn.Linear(48, 1))
    opt = AdamW(net.parameters(), lr=5e-3)
    epochs, batches = 30, math.ceil(len(d.x) / 32)
    total = epochs if fault else epochs * batches

    def rate(step: int) -> float:
        if step < 0.1 * total:
            return (step + 1) / (0.1 * total)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, step / total)))

    schedule = LambdaLR(opt, rate)
    w = watch(net, opt, nn.MSELoss(), train=(d.x, d.y), val=(d.xv, d.yv), metric=r2)
    for _ in range(epochs):
        for rows in torch.randperm(len(d.x)).split(32):
            loss = F.mse_loss(net(d.x[rows]), d.y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
            schedule.step()
            w.step(loss)
        with torch.no_grad():
            z = net(d.xv)
            w.validated(loss=F.mse_loss(z, d.yv).item(), metric=r2(z, d.yv))
    return score_of(net, d.xt, d.yt, r2)


@case("optim.schedule_collapsed", "nine_tenths_after_each_step", also="optim.lr_too_low")
def nine_tenths(watch: Watch, fault: bool) -> float:
    """`ExponentialLR(0.9)` in the inner loop; the wave's net stops after sixty steps."""
    d = sets.tones(noise=0.8)
    net = wave_net(nn.ELU)
    opt = Adam(net.parameters(), lr=2e-3)
    schedule = ExponentialLR(opt, 0.9)
    w = watch(net, opt, F.cross_entropy, train=(d.x, d.y), val=(d.xv, d.yv))
    for step in range(330):
        rows = torch.randint(len(d.x), (40,))
        opt.zero_grad()
        loss = F.cross_entropy(net(d.x[rows]), d.y[rows])
        loss.backward()
        opt.step()
        w.step(loss)
        if fault or step % 18 == 17:
            schedule.step()
        if step % 30 == 29:
            with torch.no_grad():
                z = net(d.xv)
            w.validated(loss=F.cross_entropy(z, d.yv).item(), metric=accuracy(z, d.yv))
    return score_of(net, d.xt, d.yt)
