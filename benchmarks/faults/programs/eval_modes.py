"""Faults of validation and of the pipe: modes, transforms, over- and underfitting, waiting for data."""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam
from torch.utils.data import DataLoader, Dataset, TensorDataset

from .. import data as D
from .. import sequences as S
from ..case import case
from ..loops import Watch, by_dataset, by_full, by_loader, by_slices, by_steps, shuffled
from ..nets import ConvNet, Recurrent, accuracy, mlp, r2, score_of, side, small_resnet

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


@case("eval.overfit", "diabetes_wide")
@case("eval.overfit", "diabetes_wide_long", epochs=120)
def overfit_diabetes(watch: Watch, fault: bool, epochs: int = 60) -> float:
    d = D.table("diabetes")
    model = mlp(10, 256, 256, 1) if fault else mlp(10, 16, 1)
    opt = Adam(model.parameters(), lr=2e-3, weight_decay=0.0 if fault else 0.1)
    by_slices(
        watch, model, opt, lambda z, y: F.mse_loss(z[:, 0], y), d, epochs=epochs if fault else 15, batch=32, score=r2
    )
    return score_of(model, d.xt, d.yt, r2)


@case("eval.overfit", "noisy_law_few_rows")
def overfit_law(watch: Watch, fault: bool) -> float:
    """A linear law in noise, twenty columns and a hundred rows, learned by heart."""
    d = D.linear_law(200, noise=3.0, columns=20)
    model = mlp(20, 200, 200, 1) if fault else nn.Linear(20, 1)
    opt = Adam(model.parameters(), lr=3e-3 if fault else 0.03)
    by_full(watch, model, opt, lambda z, y: F.mse_loss(z.flatten(), y), d, steps=300 if fault else 200, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@case("eval.overfit", "forecast_few_noisy_series")
def overfit_forecast(watch: Watch, fault: bool) -> float:
    d = S.forecast(160, noise=0.8)
    flat = nn.Flatten()
    model = nn.Sequential(flat, *mlp(20, 256, 256, 1)) if fault else nn.Sequential(flat, nn.Linear(20, 1))
    opt = Adam(model.parameters(), lr=2e-3 if fault else 0.01)
    by_loader(watch, model, opt, nn.MSELoss(), d, epochs=60, batch=16, score=r2)
    return score_of(model, d.xt, d.yt, r2)


WEAK = "model.bottleneck model.missing_nonlinearity"


@case("eval.underfit", "circles_linear", also=WEAK)
def circles(watch: Watch, fault: bool) -> float:
    d = D.moons(kind="circles")
    model = nn.Linear(2, 2) if fault else mlp(2, 24, 2)
    by_loader(watch, model, Adam(model.parameters(), lr=0.02), nn.CrossEntropyLoss(), d, epochs=15)
    return score_of(model, d.xt, d.yt)


@case("eval.underfit", "friedman_linear", also=WEAK)
def friedman_linear(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    model = nn.Sequential(nn.Linear(10, 1)) if fault else mlp(10, 64, 1)
    by_slices(
        watch, model, Adam(model.parameters(), lr=0.01), lambda z, y: F.mse_loss(z[:, 0], y), d, epochs=25, score=r2
    )
    return score_of(model, d.xt, d.yt, r2)


@case("eval.underfit", "waves_mean_over_time", also=WEAK)
def mean_over_time(watch: Watch, fault: bool) -> float:
    """The mean of a wave says nothing of its frequency."""

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 4))

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x.mean(1))

    d = S.waves()
    model = Mean() if fault else nn.Sequential(nn.Flatten(), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 4))
    by_dataset(watch, model, Adam(model.parameters(), lr=5e-3), F.cross_entropy, d, epochs=15, batch=32)
    return score_of(model, d.xt, d.yt)


@case("eval.underfit", "labels_few_columns_linear", also=WEAK)
def labels_linear(watch: Watch, fault: bool) -> float:
    d = D.labels(1500, 6, 5)
    model = nn.Linear(6, 5) if fault else mlp(6, 64, 5)
    by_steps(watch, model, Adam(model.parameters(), lr=0.01), nn.BCEWithLogitsLoss(), d, steps=400)
    return score_of(model, d.xt, d.yt, side)


class Slow(Dataset[tuple[Tensor, Tensor]]):
    """Decodes a row each time it is asked for: it takes `wait` seconds."""

    def __init__(self, x: Tensor, y: Tensor, wait: float) -> None:
        self.x, self.y, self.wait = x, y, wait

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        if self.wait:
            time.sleep(self.wait)
        return self.x[i], self.y[i]


def timed(watch: Watch, model: nn.Module, data: Dataset[tuple[Tensor, Tensor]], steps: int, lr: float) -> float:
    """Share of the time that is not spent in waiting for a batch."""
    opt = Adam(model.parameters(), lr=lr)
    loader = DataLoader(data, 16, shuffle=True)
    seen = watch(model, opt, F.cross_entropy, train=loader)
    began, waited, done = time.perf_counter(), 0.0, 0
    while done < steps:
        batches = iter(loader)
        while done < steps:
            asked = time.perf_counter()
            batch = next(batches, None)
            waited += time.perf_counter() - asked
            if batch is None:
                break
            opt.zero_grad()
            loss = F.cross_entropy(model(batch[0]), batch[1])
            loss.backward()
            opt.step()
            seen.step(loss)
            done += 1
    return 1 - waited / (time.perf_counter() - began)


STALL = "https://github.com/pytorch/examples/issues/387"


@case("pipe.data_stall", "digits_slow_rows", source=STALL, wait=3e-4)
@case("pipe.data_stall", "digits_very_slow_rows", wait=8e-4)
def slow_rows(watch: Watch, fault: bool, wait: float) -> float:
    d = D.digits()
    model = mlp(64, 128, 10)
    return timed(watch, model, Slow(d.x[:500], d.y[:500], wait if fault else 0.0), 250, 0.01)


@case("pipe.data_stall", "conv_slow_decoding")
def slow_images(watch: Watch, fault: bool) -> float:
    d = D.digits(image=True)
    model = ConvNet(norm=True)
    return timed(watch, model, Slow(d.x[:500], d.y[:500], 1e-3 if fault else 0.0), 160, 0.01)
