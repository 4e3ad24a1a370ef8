"""Faults of validation: modes and transforms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD, Adam
from torch.utils.data import DataLoader, TensorDataset

from .. import data as D
from .. import sequences as S
from ..case import case
from ..loops import Watch, by_loader, by_slices, shuffled
from ..nets import Recurrent, accuracy, mlp, r2, score_of, small_resnet

FORGOT = "https://github.com/udacity/deep-learning-v2-pytorch/issues/3"


@case("eval.train_mode_at_eval", "digits_dropout", source=FORGOT, drop=0.7, norm=False)
@case("eval.train_mode_at_eval", "digits_dropout_and_norm", source=FORGOT, drop=0.6, norm=True)
def dropout_on(watch: Watch, fault: bool, drop: float, norm: bool) -> float:
    d = D.digits()
    model = mlp(64, 96, 96, 10, drop=drop, norm=norm)
    opt = Adam(model.parameters(), lr=3e-3)
    loss_fn = nn.CrossEntropyLoss()
    loader = DataLoader(TensorDataset(d.x, d.y), batch_size=32, shuffle=True)
    seen = watch(model, opt, loss_fn, train=loader, val=(d.xv, d.yv), metric=accuracy)
    for _ in range(10):
        model.train()
        for x, y in loader:
            opt.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            opt.step()
            seen.step(loss)
        if not fault:
            model.eval()
        with torch.no_grad():
            z = model(d.xv)
        seen.validated(loss=loss_fn(z, d.yv).item(), metric=accuracy(z, d.yv))
    with torch.no_grad():
        return accuracy(model(d.xt), d.yt)


@case("eval.train_mode_at_eval", "resnet_validated_one_by_one", source="https://github.com/sinhasam/vaal/issues/2")
def one_by_one(watch: Watch, fault: bool) -> float:
    """Batch norm takes its statistics from validation batches of four rows, all of one class."""
    d = D.digits(image=True)
    order = torch.argsort(d.yv)[:240]
    order_t = torch.argsort(d.yt)
    model = small_resnet(width=6)
    opt = SGD(model.parameters(), lr=0.05, momentum=0.9)
    seen = watch(model, opt, F.cross_entropy, train=(d.x, d.y), val=(d.xv[order], d.yv[order]))
    for _ in range(5):
        for x, y in shuffled(d.x, d.y, 32):
            model.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            seen.step(loss)
        if not fault:
            model.eval()
        with torch.no_grad():
            z = torch.cat([model(part) for part in d.xv[order].split(4)])
        seen.validated(loss=F.cross_entropy(z, d.yv[order]).item(), metric=accuracy(z, d.yv[order]))
        model.train()
    if not fault:
        model.eval()
    with torch.no_grad():
        return accuracy(torch.cat([model(part) for part in d.xt[order_t].split(4)]), d.yt[order_t])


@case("eval.train_mode_at_eval", "friedman_dropout", drop=0.5)
def dropout_regression(watch: Watch, fault: bool, drop: float) -> float:
    d = D.friedman()
    model = mlp(10, 96, 1, drop=drop)
    opt = Adam(model.parameters(), lr=0.01)
    seen = watch(model, opt, nn.MSELoss(), train=(d.x, d.y[:, None]), val=(d.xv, d.yv[:, None]), metric=r2)

    def validate() -> None:
        if not fault:
            model.eval()
        with torch.no_grad():
            z = model(d.xv)
            seen.validated(loss=F.mse_loss(z[:, 0], d.yv).item(), metric=r2(z, d.yv))
        model.train()

    for step in range(400):
        rows = torch.randint(0, len(d.x), (32,))
        loss = F.mse_loss(model(d.x[rows]), d.y[rows, None])
        opt.zero_grad()
        loss.backward()
        opt.step()
        seen.step(loss)
        if step % 40 == 39:
            validate()
    if not fault:
        model.eval()
    with torch.no_grad():
        return r2(model(d.xt), d.yt)


EVAL = "https://github.com/fartashf/vsepp/issues/4"


@case(
    "eval.eval_mode_in_training",
    "resnet_after_validation",
    source=EVAL,
    also="optim.lr_too_high optim.exploding_gradients",
)
def stays_in_eval(watch: Watch, fault: bool) -> float:
    """eval() at the first validation, and no train() after it: batch norm's statistics stay those of the first steps."""
    d = D.digits(image=True)
    model = small_resnet(width=6)
    opt = SGD(model.parameters(), lr=0.1, momentum=0.9)
    loss_fn = nn.CrossEntropyLoss()
    loader = DataLoader(TensorDataset(d.x, d.y), 32, shuffle=True)
    seen = watch(model, opt, loss_fn, train=loader, val=(d.xv, d.yv))
    model.eval() if fault else model.train()
    for _ in range(5):
        for x, y in loader:
            loss = loss_fn(model(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
            seen.step(loss)
        model.eval()
        with torch.no_grad():
            z = model(d.xv)
        seen.validated(loss=loss_fn(z, d.yv).item(), metric=accuracy(z, d.yv))
        if not fault:
            model.train()
    return score_of(model, d.xt, d.yt)


@case(
    "eval.eval_mode_in_training", "norm_of_unscaled_columns", source=EVAL, also="data.unscaled_inputs optim.lr_too_high"
)
def norm_in_eval(watch: Watch, fault: bool) -> float:
    """The batch norm at the input was to scale the columns; in eval mode it does nothing."""
    d = D.raw("wine")
    model = nn.Sequential(nn.BatchNorm1d(13), nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
    if fault:
        model.eval()
    opt = SGD(model.parameters(), lr=0.1)
    seen = watch(model, opt, F.cross_entropy, train=(d.x, d.y), val=(d.xv, d.yv))
    for _ in range(20):
        for x, y in shuffled(d.x, d.y, 16):
            loss = F.cross_entropy(model(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
            seen.step(loss)
    return score_of(model, d.xt, d.yt)


@case("eval.eval_mode_in_training", "deep_norm_on_tanh", source=EVAL, also="optim.vanishing_gradients optim.lr_too_low")
def deep_in_eval(watch: Watch, fault: bool) -> float:
    d = D.digits()
    model = mlp(64, *[32] * 5, 10, act=nn.Tanh, norm=True)
    for m in model:
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, 0, 0.02)
    opt = SGD(model.parameters(), lr=0.05)
    seen = watch(model, opt, nn.CrossEntropyLoss(), train=(d.x, d.y), val=(d.xv, d.yv), metric=accuracy)
    for epoch in range(8):
        for x, y in shuffled(d.x, d.y, 32):
            opt.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            seen.step(loss)
            if fault and epoch == 0:
                model.eval()
        model.eval()
        with torch.no_grad():
            z = model(d.xv)
        seen.validated(loss=F.cross_entropy(z, d.yv), metric=accuracy(z, d.yv))
        if not fault:
            model.train()
    return score_of(model, d.xt, d.yt)


MAP = "data.split_shift data.unscaled_inputs"
OTHER = "https://github.com/JeasunLok/ResNet-pytorch/issues/1"


@case("eval.preprocess_mismatch", "mnist_black_on_white", source=OTHER, also=MAP)
def pixels(watch: Watch, fault: bool) -> float:
    """Training images are white on black, those of the validation black on white."""
    d = D.images("mnist", 1500)
    d = d._replace(x=d.x.flatten(1), xv=d.xv.flatten(1), xt=d.xt.flatten(1))
    x = (d.x / 255 - 0.1307) / 0.3081
    xv, xt = (((255 - t if fault else t) / 255 - 0.1307) / 0.3081 for t in (d.xv, d.xt))
    model = mlp(784, 64, 64, 10, act=nn.Tanh)
    by_loader(
        watch,
        model,
        Adam(model.parameters(), lr=3e-3),
        nn.CrossEntropyLoss(),
        D.Split(x, d.y, xv, d.yv, xt, d.yt),
        epochs=5,
    )
    return score_of(model, xt, d.yt)


@case("eval.preprocess_mismatch", "wine_scaler_only_on_train", also=MAP, source=OTHER, table="wine")
@case("eval.preprocess_mismatch", "cancer_scaler_only_on_train", also=MAP, table="breast_cancer")
def scaler(watch: Watch, fault: bool, table: str) -> float:
    plain, d = D.raw(table), D.table(table)
    if fault:
        d = d._replace(xv=plain.xv, xt=plain.xt)
    model = mlp(d.x.shape[1], 24, int(d.y.max()) + 1)
    by_slices(watch, model, Adam(model.parameters(), lr=5e-3), F.cross_entropy, d, epochs=12, batch=16, score=accuracy)
    return score_of(model, d.xt, d.yt)


@case("eval.preprocess_mismatch", "waves_centred_at_train_only", also="data.split_shift data.all_positive_inputs")
def centred(watch: Watch, fault: bool) -> float:
    d = S.waves()
    if fault:
        d = d._replace(xv=4 * d.xv + 12, xt=4 * d.xt + 12)
    model = Recurrent("GRU", hidden=16)
    by_loader(watch, model, Adam(model.parameters(), lr=0.01), nn.CrossEntropyLoss(), d, epochs=6)
    return score_of(model, d.xt, d.yt)
