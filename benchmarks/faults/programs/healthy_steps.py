"""Healthy programs with odd optimisers, schedules and weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.optim import LBFGS, SGD, Adam, AdamW, RMSprop
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

from .. import data as D
from .. import sequences as S
from ..case import healthy
from ..loops import Watch, by_dataset, by_loader, by_slices, shuffled
from ..nets import ConvNet, Recurrent, Transformer, accuracy, conv1d, mlp, r2, score_of


@healthy("tied_autoencoder")
def tied(watch: Watch) -> float:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(0.1 * torch.randn(32, 64))
            self.a, self.b = nn.Parameter(torch.zeros(32)), nn.Parameter(torch.zeros(64))

        def forward(self, x: Tensor) -> Tensor:
            return F.linear(torch.tanh(F.linear(x, self.w, self.a)), self.w.T, self.b)

    d = D.digits()
    d = D.Split(d.x, d.x, d.xv, d.xv, d.xt, d.xt)
    model = Tied()
    by_slices(watch, model, Adam(model.parameters(), lr=3e-3), F.mse_loss, d, epochs=20, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@healthy("weight_norm")
def normed(watch: Watch) -> float:
    d = D.friedman()
    model = nn.Sequential(
        weight_norm(nn.Linear(10, 48)), nn.ReLU(), weight_norm(nn.Linear(48, 48)), nn.ReLU(), nn.Linear(48, 1)
    )
    by_dataset(
        watch, model, Adam(model.parameters(), lr=5e-3), lambda z, y: F.mse_loss(z[:, 0], y), d, epochs=20, batch=32
    )
    return score_of(model, d.xt, d.yt, r2)


@healthy("lbfgs")
def lbfgs(watch: Watch) -> float:
    d = D.law()
    model = mlp(3, 24, 1, act=nn.Tanh)
    opt = LBFGS(model.parameters(), lr=1.0, max_iter=10, line_search_fn="strong_wolfe")
    seen = watch(model, opt, F.mse_loss, train=(d.x, d.y[:, None]), val=(d.xv, d.yv[:, None]))

    def closure() -> Tensor:
        opt.zero_grad()
        loss = F.mse_loss(model(d.x), d.y[:, None])
        loss.backward()
        return loss

    for _ in range(30):
        loss = opt.step(closure)
        seen.step(loss)
    return score_of(model, d.xt, d.yt, r2)


@healthy("clipping_always_active")
def clipped(watch: Watch) -> float:
    d = S.majority()
    model = Recurrent("LSTM", inputs=8, hidden=20, outputs=3, tokens=3)
    opt = SGD(model.parameters(), lr=1.0, momentum=0.9)
    seen = watch(model, opt, F.cross_entropy, train=(d.x, d.y))
    for _ in range(400):
        rows = torch.randint(0, len(d.x), (32,))
        loss = F.cross_entropy(model(d.x[rows]), d.y[rows])
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)
        opt.step()
        seen.step(loss)
    return score_of(model, d.xt, d.yt)


@healthy("bfloat16_autocast")
def mixed(watch: Watch) -> float:
    d = D.digits()
    model = mlp(64, 128, 10)
    opt = AdamW(model.parameters(), lr=3e-3)
    loader = DataLoader(TensorDataset(d.x, d.y), 64, shuffle=True)
    seen = watch(model, opt, F.cross_entropy, train=loader, val=(d.xv, d.yv))
    for _ in range(15):
        for x, y in loader:
            opt.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            seen.step(loss)
    return score_of(model, d.xt, d.yt)


@healthy("augmented_noise")
def augmented(watch: Watch) -> float:
    """Training images are blurred by noise, validation images are not: validation is easier."""
    d = D.digits()
    model = mlp(64, 128, 10)
    opt = Adam(model.parameters(), lr=2e-3)
    seen = watch(model, opt, F.cross_entropy, train=(d.x, d.y), val=(d.xv, d.yv))
    for _ in range(15):
        for x, y in shuffled(d.x, d.y, 32):
            loss = F.cross_entropy(model(x + 0.25 * torch.randn_like(x)), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
            seen.step(loss)
        with torch.no_grad():
            z = model(d.xv)
        seen.validated(loss=F.cross_entropy(z, d.yv).item(), metric=accuracy(z, d.yv))
    return score_of(model, d.xt, d.yt)


@healthy("one_epoch_of_many_rows")
def one_epoch(watch: Watch) -> float:
    """One pass, and the loss has been flat for half of it."""
    d = D.linear_law(16000, noise=0.5, columns=8)
    model = mlp(8, 16, 1)
    by_loader(
        watch,
        model,
        Adam(model.parameters(), lr=0.01),
        lambda z, y: F.mse_loss(z[:, 0], y),
        d,
        epochs=1,
        batch=32,
        score=r2,
    )
    return score_of(model, d.xt, d.yt, r2)


@healthy("reduce_on_plateau")
def plateau(watch: Watch) -> float:
    d = D.digits()
    model = mlp(64, 64, 10)
    opt = SGD(model.parameters(), lr=0.2, momentum=0.9)
    schedule = ReduceLROnPlateau(opt, factor=0.2, patience=1)
    seen = watch(model, opt, nn.CrossEntropyLoss(), train=(d.x, d.y), val=(d.xv, d.yv), metric=accuracy)
    for _ in range(12):
        for x, y in shuffled(d.x, d.y, 32):
            opt.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            seen.step(loss)
        with torch.no_grad():
            z = model(d.xv)
        val = F.cross_entropy(z, d.yv).item()
        schedule.step(val)
        seen.validated(loss=val, metric=accuracy(z, d.yv))
    return score_of(model, d.xt, d.yt)


@healthy("one_cycle")
def one_cycle(watch: Watch) -> float:
    d = D.digits(image=True)
    model = ConvNet(norm=True)
    epochs, loader = 6, DataLoader(TensorDataset(d.x, d.y), 32, shuffle=True)
    opt = SGD(model.parameters(), lr=0.01, momentum=0.9)
    schedule = OneCycleLR(opt, max_lr=0.3, total_steps=epochs * len(loader))
    seen = watch(model, opt, F.cross_entropy, train=loader, val=(d.xv, d.yv))
    for _ in range(epochs):
        for x, y in loader:
            loss = F.cross_entropy(model(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
            schedule.step()
            seen.step(loss)
    return score_of(model, d.xt, d.yt)


@healthy("conv1d_waves")
def waves(watch: Watch) -> float:
    d = S.waves()
    d = d._replace(x=d.x.mT, xv=d.xv.mT, xt=d.xt.mT)
    model = conv1d(act=nn.GELU)
    by_loader(watch, model, RMSprop(model.parameters(), lr=3e-3), F.cross_entropy, d, epochs=10)
    return score_of(model, d.xt, d.yt)


@healthy("transformer_dropout")
def transformer(watch: Watch) -> float:
    d = S.brackets()
    model = Transformer(width=24, drop=0.1)
    by_loader(watch, model, AdamW(model.parameters(), lr=4e-3), nn.CrossEntropyLoss(), d, epochs=7)
    return score_of(model, d.xt, d.yt)
