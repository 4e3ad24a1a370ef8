"""Sound programs with loops that are not everyday ones, and some that look ill."""

from __future__ import annotations

import copy
import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, AdamW
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts
from torch.utils.data import DataLoader, TensorDataset

from .. import data as D
from ..case import healthy
from ..loops import Watch
from ..nets import accuracy, balanced, mlp, r2, score_of
from . import sets
from .costs import main
from .heads import steps_of
from .layers import wave_net
from .pairs import tone_net
from .tables import HousePrice, epochs_of, until


@healthy("restarted_three_times")
def restarts(watch: Watch) -> float:
    """The rate falls to nearly nought and jumps back; the loss goes up with it."""
    d = D.scaled(D.images("fashion", 1500))
    net, crit = nn.Sequential(nn.Flatten(), mlp(784, 64, 10)), nn.CrossEntropyLoss()
    opt = SGD(net.parameters(), lr=0.05, momentum=0.9)
    schedule = CosineAnnealingWarmRestarts(opt, T_0=4, eta_min=1e-4)
    loader = DataLoader(TensorDataset(d.x, d.y), 32, shuffle=True)
    w = watch(net, opt, crit, train=loader, val=(d.xv, d.yv), metric=accuracy)
    for epoch in range(12):
        for i, (x, y) in enumerate(loader):
            opt.zero_grad()
            loss = crit(net(x), y)
            loss.backward()
            opt.step()
            schedule.step(epoch + i / len(loader))
            w.step(loss)
        with torch.no_grad():
            z = net(d.xv)
        w.validated(loss=crit(z, d.yv).item(), metric=accuracy(z, d.yv))
    return score_of(net, d.xt, d.yt)


@healthy("eight_small_batches_make_a_step")
def accumulated(watch: Watch) -> float:
    """Gradients of eight batches of four are gathered; then one step, and they are cleared."""
    d = sets.tones(1200)
    net = wave_net()
    opt = Adam(net.parameters(), lr=3e-3)
    w = watch(net, opt, F.cross_entropy, train=(d.x, d.y), val=(d.xv, d.yv), metric=accuracy)
    for _ in range(7):
        for i, rows in enumerate(torch.randperm(len(d.x)).split(4), 1):
            loss = F.cross_entropy(net(d.x[rows]), d.y[rows])
            (loss / 8).backward()
            if i % 8 == 0:
                opt.step()
                opt.zero_grad()
                w.step(loss)
        with torch.no_grad():
            z = net(d.xv)
        w.validated(loss=F.cross_entropy(z, d.yv).item(), metric=accuracy(z, d.yv))
    return score_of(net, d.xt, d.yt)


@healthy("one_row_at_a_time")
def one_row(watch: Watch) -> float:
    """Batches of one, so a loss that jumps from step to step."""
    d = sets.spectra(700)
    net = nn.Sequential(nn.Linear(60, 24), nn.LayerNorm(24), nn.ReLU(), nn.Linear(24, 4))
    opt = SGD(net.parameters(), lr=0.005)
    w = watch(net, opt, nn.CrossEntropyLoss(), train=(d.x, d.y))
    for _ in range(6):
        for i in torch.randperm(len(d.x)).tolist():
            opt.zero_grad()
            loss = F.cross_entropy(net(d.x[i : i + 1]), d.y[i : i + 1])
            loss.backward()
            opt.step()
            w.step(loss)
    return score_of(net, d.xt, d.yt)


@healthy("wines_by_lbfgs")
def lbfgs(watch: Watch) -> float:
    """A regression with a ridge and its closure; forty steps on all rows."""
    d = D.table("wine")
    net = nn.Linear(13, 3)
    opt = LBFGS(net.parameters(), lr=0.5, max_iter=4)
    w = watch(net, opt, F.cross_entropy, train=(d.x, d.y), val=(d.xv, d.yv))

    def closure() -> Tensor:
        opt.zero_grad()
        loss = F.cross_entropy(net(d.x), d.y) + 1e-3 * net.weight.square().sum()
        loss.backward()
        return loss

    for _ in range(40):
        loss = opt.step(closure)
        w.step(loss)
    return score_of(net, d.xt, d.yt)


@healthy("houses_scored_by_a_running_mean")
def running_mean(watch: Watch) -> float:
    """A second net follows the first slowly, and it is the one that is validated."""
    d = D.standard(sets.houses(), targets=True)
    net = HousePrice()
    slow = copy.deepcopy(net)
    opt = Adam(net.parameters(), lr=4e-3)
    w = watch(net, opt, F.mse_loss, train=(d.x, d.y), val=(d.xv, d.yv), metric=r2)
    for _ in range(25):
        for rows in torch.randperm(len(d.x)).split(32):
            loss = F.mse_loss(net(d.x[rows]), d.y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
            w.step(loss)
            with torch.no_grad():
                for a, b in zip(slow.parameters(), net.parameters(), strict=True):
                    a.lerp_(b, 0.02)
        with torch.no_grad():
            z = slow(d.xv)
        w.validated(loss=F.mse_loss(z, d.yv).item(), metric=r2(z, d.yv))
    return score_of(slow, d.xt, d.yt, r2)


@healthy("clothes_mixed_in_pairs")
def mixed(watch: Watch) -> float:
    """Mixup and a shift by a pixel: the training loss stays above the validation loss."""
    d = D.scaled(D.images("fashion", 1500))
    net = nn.Sequential(nn.Flatten(), mlp(784, 96, 10, act=nn.GELU))
    opt = AdamW(net.parameters(), lr=2e-3, weight_decay=0.02)
    w = watch(net, opt, nn.CrossEntropyLoss(), train=(d.x, d.y), val=(d.xv, d.yv), metric=accuracy)
    law = torch.distributions.Beta(0.4, 0.4)
    for _ in range(18):
        for rows in torch.randperm(len(d.x)).split(32):
            x = d.x[rows].roll(int(torch.randint(-1, 2, ())), 3)
            share, other = law.sample(), torch.randperm(len(rows))
            z = net(share * x + (1 - share) * x[other])
            y = d.y[rows]
            loss = share * F.cross_entropy(z, y) + (1 - share) * F.cross_entropy(z, y[other])
            opt.zero_grad()
            loss.backward()
            opt.step()
            w.step(loss)
        with torch.no_grad():
            z = net(d.xv)
        w.validated(loss=F.cross_entropy(z, d.yv).item(), metric=accuracy(z, d.yv))
    return score_of(net, d.xt, d.yt)


@healthy("patients_of_whom_half_is_chance")
def half_is_chance(watch: Watch) -> float:
    """The diabetes table: an R² of a half is all there is. A small net, a decay, few epochs."""
    d = sets.column(D.table("diabetes"))
    net = nn.Sequential(nn.Linear(10, 12), nn.Tanh(), nn.Linear(12, 1))
    opt = AdamW(net.parameters(), lr=4e-3, weight_decay=0.1)
    return main(watch, net, opt, nn.MSELoss(), d, 25, 16, r2)


@healthy("few_leave_and_are_found")
def found(watch: Watch) -> float:
    """One in twenty leaves; a weight of ten, and most of them are found."""
    d = sets.floats(sets.churn(2600, share=0.05, noise=0.15))
    net = nn.Sequential(mlp(12, 48, 1), nn.Flatten(0))
    crit = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(10.0))
    opt = Adam(net.parameters(), lr=4e-3)
    until(epochs_of(watch, net, opt, crit, d, lambda z, y: balanced(z, y.long()), 48), 14)
    return score_of(net, d.xt, d.yt, lambda z, y: balanced(z, y.long()))


@healthy("bytes_behind_a_norm")
def bytes_behind_norm(watch: Watch) -> float:
    """Pixels from 0 to 255; the first layer is a norm over the batch, so that it does not matter."""
    d = D.images("mnist", 1500)
    net = nn.Sequential(
        nn.BatchNorm2d(1), nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 12, 5, stride=2), nn.ReLU(), nn.Flatten(),
        nn.Linear(192, 10),
    )  # fmt: skip
    opt = Adam(net.parameters(), lr=3e-3)
    until(epochs_of(watch, net, opt, nn.CrossEntropyLoss(), d, accuracy), 8)
    return score_of(net, d.xt, d.yt)


@healthy("code_of_which_most_is_nought")
def sparse(watch: Watch) -> float:
    """An autoencoder whose ReLU code is pressed towards nought; four units in five are, on each row."""
    d = D.scaled(D.images("mnist", 1200))
    d = D.Split(*(t.flatten(1) if i % 2 == 0 else d[i - 1].flatten(1) for i, t in enumerate(d)))
    down, up = nn.Sequential(nn.Linear(784, 128), nn.ReLU()), nn.Linear(128, 784)
    net = nn.Sequential(down, up)
    opt = Adam(itertools.chain(down.parameters(), up.parameters()), lr=2e-3)
    w = watch(net, opt, train=(d.x, d.y), val=(d.xv, d.yv), metric=r2)
    for _ in range(700):
        x = d.x[torch.randint(len(d.x), (32,))]
        code = down(x)
        loss = F.mse_loss(up(code), x) + 2e-3 * code.abs().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        w.step(loss)
    return score_of(net, d.xt, d.yt, r2)


class Variational(nn.Module):
    """Code of mean and log variance, drawn in training only."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = mlp(64, 64, 16), mlp(8, 64, 64)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_var = self.down(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (0.5 * log_var).exp() if self.training else mean
        return self.up(code), mean, log_var


@healthy("digits_by_a_variational_code")
def variational(watch: Watch) -> float:
    """The loss is a sum over pixels on purpose, so that it weighs rightly against the code's."""
    d = D.digits()
    net = Variational()
    opt = Adam(net.parameters(), lr=2e-3)
    w = watch(net, opt)
    for _ in range(20):
        for rows in torch.randperm(len(d.x)).split(32):
            out, mean, log_var = net(d.x[rows])
            near = F.mse_loss(out, d.x[rows], reduction="sum") * 10
            loss = (near - 0.5 * (1 + log_var - mean.square() - log_var.exp()).sum()) / len(rows)
            opt.zero_grad()
            loss.backward()
            opt.step()
            w.step(loss)
    net.eval()
    with torch.no_grad():
        return r2(net(d.xt)[0], d.xt)


@healthy("forger_and_judge_on_a_ring")
def forger(watch: Watch) -> float:
    """Two nets that play against each other; the forger is watched, and its loss does not fall. Share near the ring."""
    make, judge = mlp(4, 48, 48, 2), mlp(2, 48, 48, 1, act=lambda: nn.LeakyReLU(0.2))
    opt, other = Adam(make.parameters(), 1e-3, (0.5, 0.9)), Adam(judge.parameters(), 2e-3, (0.5, 0.9))
    w = watch(make, opt)
    for _ in range(700):
        angle = 6.2832 * torch.rand(64, 1)
        real = torch.cat([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(64, 2)
        fake = make(torch.randn(64, 4))
        other.zero_grad()
        (F.softplus(-judge(real)) + F.softplus(judge(fake.detach()))).mean().backward()
        other.step()
        loss = F.softplus(-judge(fake)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        w.step(loss)
    with torch.no_grad():
        return float(((make(torch.randn(500, 4)).norm(dim=1) - 1).abs() < 0.3).float().mean())


@healthy("hours_in_their_order")
def in_order(watch: Watch) -> float:
    """The days come in their own order, unshuffled, as a stream does; every one of them is like the others."""
    d = D.Split(*((t - 42000) / 6000 for t in sets.load(1200)))
    net = nn.Sequential(nn.Flatten(), mlp(24, 48, 1), nn.Flatten(0))
    opt = Adam(net.parameters(), lr=2e-3)
    loader = DataLoader(TensorDataset(d.x, d.y), 24, shuffle=False)
    w = watch(net, opt, nn.MSELoss(), train=loader, val=(d.xv, d.yv), metric=r2)
    for _ in range(12):
        for x, y in loader:
            loss = F.mse_loss(net(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
            w.step(loss)
        with torch.no_grad():
            z = net(d.xv)
        w.validated(loss=F.mse_loss(z, d.yv).item(), metric=r2(z, d.yv))
    return score_of(net, d.xt, d.yt, r2)


@healthy("chords_long_after_they_are_known")
def long_after(watch: Watch) -> float:
    """Everything is right after a third of the steps; the rest is a loss that cannot fall much more."""
    net = tone_net()
    opt = Adam(net.parameters(), lr=2e-3)
    return steps_of(watch, net, opt, nn.CrossEntropyLoss(), sets.tones(noise=0.3), accuracy, 500)
