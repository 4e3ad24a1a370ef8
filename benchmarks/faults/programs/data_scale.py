"""Faults in the scale and the finiteness of inputs and targets."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD, Adam

from .. import data as D
from .. import sequences as S
from ..case import case
from ..loops import Watch, by_full, by_loader, by_slices, by_steps, shuffled
from ..nets import Recurrent, accuracy, mlp, r2, score_of, side

SCALE = "https://github.com/BrainJS/brain.js/issues/278"


@case("data.unscaled_inputs", "wine_mlp", also="optim.lr_too_high model.dead_relu", source=SCALE)
def wine(watch: Watch, fault: bool) -> float:
    d = D.raw("wine") if fault else D.table("wine")
    model = mlp(13, 32, 3)
    by_loader(watch, model, SGD(model.parameters(), lr=0.05), nn.CrossEntropyLoss(), d, epochs=30, batch=16)
    return score_of(model, d.xt, d.yt)


@case("data.unscaled_inputs", "breast_cancer_bce", also="model.saturated_activation")
def cancer(watch: Watch, fault: bool) -> float:
    d = D.raw("breast_cancer") if fault else D.table("breast_cancer")
    model = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 1))
    criterion = nn.BCEWithLogitsLoss()
    optimizer = Adam(model.parameters(), lr=2e-3)
    seen = watch(
        model, optimizer, criterion, train=(d.x, d.y.float().unsqueeze(1)), val=(d.xv, d.yv.float().unsqueeze(1))
    )
    for _epoch in range(20):
        for xb, yb in shuffled(d.x, d.y, 32):
            optimizer.zero_grad()
            loss = criterion(model(xb), yb.float().unsqueeze(1))
            loss.backward()
            optimizer.step()
            seen.step(loss)
    return score_of(model, d.xt, d.yt, side)


@case("data.unscaled_inputs", "friedman_units", also="model.dead_relu optim.lr_too_high")
def units(watch: Watch, fault: bool) -> float:
    """Columns in millimetres, grams and years."""
    d = D.friedman()
    if fault:
        unit = torch.tensor([1e3, 1, 0.01, 300.0, 1e-3, 1, 2e3, 10, 0.1, 500])
        d = D.Split(d.x * unit, d.y, d.xv * unit, d.yv, d.xt * unit, d.yt)
    model = mlp(10, 48, 48, 1)
    loss_fn = lambda z, y: F.mse_loss(z.squeeze(1), y)  # noqa: E731
    by_slices(watch, model, Adam(model.parameters(), lr=3e-3), loss_fn, d, epochs=12)
    return score_of(model, d.xt, d.yt, r2)


@case("data.unscaled_inputs", "waves_gru_counts", also="model.saturated_activation")
def counts(watch: Watch, fault: bool) -> float:
    """A sensor's raw counts."""
    d = S.waves(count=3)
    if fault:
        d = D.scaled(d, 1 / 2000)
    model = Recurrent("GRU", hidden=16, outputs=3)
    by_steps(watch, model, Adam(model.parameters(), lr=0.01), F.cross_entropy, d, steps=150)
    return score_of(model, d.xt, d.yt)


@case("data.all_positive_inputs", "friedman_kelvin", also="data.unscaled_inputs optim.lr_too_high", offset=40.0)
@case(
    "data.all_positive_inputs",
    "friedman_hectopascal",
    also="data.unscaled_inputs optim.lr_too_high model.dead_relu",
    offset=1000.0,
)
def offset_table(watch: Watch, fault: bool, offset: float) -> float:
    d = D.friedman()
    if fault:
        d = D.Split(d.x + offset, d.y, d.xv + offset, d.yv, d.xt + offset, d.yt)
    model = mlp(10, 32, 1, act=nn.Tanh)
    by_slices(
        watch, model, Adam(model.parameters(), lr=0.01), lambda z, y: F.mse_loss(z[:, 0], y), d, epochs=15, score=r2
    )
    return score_of(model, d.xt, d.yt, r2)


@case("data.all_positive_inputs", "waves_offset_rnn", also="data.unscaled_inputs model.saturated_activation")
def offset_waves(watch: Watch, fault: bool) -> float:
    d = S.waves(count=3, noise=0.2)
    if fault:
        d = D.Split(d.x + 30, d.y, d.xv + 30, d.yv, d.xt + 30, d.yt)
    model = Recurrent("GRU", hidden=16, outputs=3)
    by_loader(watch, model, Adam(model.parameters(), lr=0.01), nn.CrossEntropyLoss(), d, epochs=8)
    return score_of(model, d.xt, d.yt)


@case("data.all_positive_inputs", "moons_far_away", also="data.unscaled_inputs")
def far_moons(watch: Watch, fault: bool) -> float:
    """Coordinates of a map: all of one sign, far from 0."""
    d = D.moons()
    if fault:
        d = D.Split(d.x + 25, d.y, d.xv + 25, d.yv, d.xt + 25, d.yt)
    model = mlp(2, 32, 32, 2)
    by_full(watch, model, SGD(model.parameters(), lr=0.3), nn.CrossEntropyLoss(), d, steps=300)
    return score_of(model, d.xt, d.yt)


@case("data.target_unscaled", "diabetes", also="optim.lr_too_low optim.too_few_epochs", lr=1e-3)
@case("data.target_unscaled", "diabetes_sgd", also="optim.lr_too_high optim.exploding_gradients", lr=0.02)
def diabetes(watch: Watch, fault: bool, lr: float) -> float:
    d = D.table("diabetes")
    if fault:
        plain = D.raw("diabetes")
        d = d._replace(y=plain.y, yv=plain.yv, yt=plain.yt)
    model = mlp(10, 64, 1)
    opt = (
        Adam(model.parameters(), lr=lr)
        if lr < 0.01
        else SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=0.03)
    )
    by_loader(watch, model, opt, lambda z, y: F.mse_loss(z.flatten(), y), d, epochs=20, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@case(
    "data.target_unscaled",
    "house_prices",
    source="https://github.com/DeepRank/deeprank/issues/16",
    also="optim.lr_too_low optim.too_few_epochs",
)
def prices(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    if fault:
        d = d._replace(y=d.y * 8e4 + 2.1e5, yv=d.yv * 8e4 + 2.1e5, yt=d.yt * 8e4 + 2.1e5)
    net = mlp(10, 64, 32, 1)
    optimizer = Adam(net.parameters(), lr=1e-3)
    mse = nn.MSELoss()
    seen = watch(net, optimizer, mse, train=(d.x, d.y[:, None]), val=(d.xv, d.yv[:, None]))
    for _ in range(15):
        for x, y in shuffled(d.x, d.y, 20):
            out = net(x)
            loss = mse(out, y.view_as(out))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen.step(loss.detach())
        with torch.no_grad():
            seen.validated(loss=mse(net(d.xv), d.yv[:, None]).item())
    return score_of(net, d.xt, d.yt, r2)


@case("data.target_unscaled", "forecast_kelvin", also="optim.lr_too_low optim.too_few_epochs")
def kelvin(watch: Watch, fault: bool) -> float:
    d = S.forecast()
    if fault:
        d = d._replace(y=d.y * 5 + 290, yv=d.yv * 5 + 290, yt=d.yt * 5 + 290)
    model = Recurrent("LSTM", hidden=24, outputs=1)
    by_steps(watch, model, Adam(model.parameters(), lr=5e-3), nn.MSELoss(), d, steps=250)
    return score_of(model, d.xt, d.yt, r2)


@case("data.nonfinite", "missing_value", source="https://github.com/prs-eth/Marigold/issues/111")
def missing(watch: Watch, fault: bool) -> float:
    """A few empty cells of a file, read as NaN."""
    d = D.table("breast_cancer")
    if fault:
        d.x[[5, 77, 203], [3, 11, 20]] = float("nan")
    model = mlp(30, 24, 2)
    by_loader(watch, model, Adam(model.parameters(), lr=3e-3), nn.CrossEntropyLoss(), d, epochs=8)
    return score_of(model, d.xt, d.yt)


@case("data.nonfinite", "constant_pixel_over_zero_sd")
def zero_sd(watch: Watch, fault: bool) -> float:
    """Standardised by hand; some pixels are the same in every image: 0 / 0."""
    d = D.digits()
    mean, sd = d.x.mean(0), d.x.std(0)
    eps = 0.0 if fault else 1e-3
    x, xv, xt = ((t - mean) / (sd + eps) for t in (d.x, d.xv, d.xt))
    model = mlp(64, 32, 10)
    by_slices(
        watch, model, SGD(model.parameters(), lr=0.05), F.cross_entropy, D.Split(x, d.y, xv, d.yv, xt, d.yt), epochs=12
    )
    return score_of(model, xt, d.yt)


@case("data.nonfinite", "log_of_zero_target")
def log_target(watch: Watch, fault: bool) -> float:
    """Targets logged without the 1 +: one of them is 0."""
    d = D.law()
    y, yv, yt = (t.clamp_min(0) for t in (d.y, d.yv, d.yt))
    y, yv, yt = (torch.log(t) if fault else torch.log1p(t) for t in (y, yv, yt))
    model = mlp(3, 32, 1)
    by_full(
        watch,
        model,
        Adam(model.parameters(), lr=0.01),
        lambda z, t: F.mse_loss(z, t[:, None]),
        d._replace(y=y, yv=yv),
        steps=400,
        score=r2,
    )
    return score_of(model, d.xt, torch.log1p(d.yt.clamp_min(0)), r2)


@case("data.nonfinite", "one_bad_sequence")
def bad_sequence(watch: Watch, fault: bool) -> float:
    d = S.waves()
    if fault:
        d.x[123, 7] = float("inf")
    model = Recurrent("GRU", hidden=16)
    by_loader(watch, model, Adam(model.parameters(), lr=0.01), nn.CrossEntropyLoss(), d, epochs=8)
    return score_of(model, d.xt, d.yt, accuracy)
