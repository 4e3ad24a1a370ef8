"""Faults in which rows are where: leaks, shifted splits, sorted batches."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW
from torch.utils.data import DataLoader, TensorDataset

from .. import data as D
from .. import sequences as S
from ..case import case
from ..loops import Watch, by_loader, by_slices, shuffled
from ..nets import ConvNet, Recurrent, accuracy, mlp, r2, score_of, small_resnet


def honesty(model: nn.Module, d: D.Split, score: object = accuracy) -> float:
    """1 less what the validation score promises beyond the score on fresh rows."""
    return 1 - max(0.0, score_of(model, d.xv, d.yv, score) - score_of(model, d.xt, d.yt, score))  # type: ignore[arg-type]


LEAK = "data.duplicates eval.overfit"


@case("data.leakage", "oversampled_before_the_split", also=LEAK)
def oversampled(watch: Watch, fault: bool) -> float:
    """Rows are repeated, then split: validation rows are in the training rows."""
    d = D.classes(500, 20, 2, sep=0.5, flip_y=0.1, seed=7)
    if fault:
        x, y = torch.cat([d.x, d.xv]).repeat(4, 1), torch.cat([d.y, d.yv]).repeat(4)
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
        cut = int(0.8 * len(x))
        d = d._replace(x=x[order[:cut]], y=y[order[:cut]], xv=x[order[cut:]], yv=y[order[cut:]])
    model = mlp(20, 64, 64, 2)
    by_loader(watch, model, Adam(model.parameters(), lr=2e-3), nn.CrossEntropyLoss(), d, epochs=12)
    return honesty(model, d)


@case("data.leakage", "column_from_the_target")
def column(watch: Watch, fault: bool) -> float:
    """A column was computed from the target; where the model is used it is not known."""
    d = D.table("diabetes")
    if fault:
        leak, leak_v = (y + 0.02 * torch.randn(len(y), generator=torch.Generator().manual_seed(1)) for y in (d.y, d.yv))
        x, xv, xt = d.x.clone(), d.xv.clone(), d.xt.clone()
        x[:, 6], xv[:, 6], xt[:, 6] = leak, leak_v, 0.0
        d = D.Split(x, d.y, xv, d.yv, xt, d.yt)
    model = mlp(10, 32, 1)
    opt = AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
    by_slices(watch, model, opt, lambda z, y: F.mse_loss(z[:, 0], y), d, epochs=10, batch=16, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@case(
    "data.leakage",
    "near_copies_of_images",
    also=LEAK,
    source="https://github.com/robinreni96/Font_Recognition-DeepFont/issues/2",
)
def near_copies(watch: Watch, fault: bool) -> float:
    """Images were augmented, and then split."""
    d = D.images("fashion", 500)
    d = D.scaled(d)
    draw = torch.Generator().manual_seed(0)

    def copies(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        many = torch.cat([x + 0.02 * torch.randn(x.shape, generator=draw) for _ in range(4)])
        return many, y.repeat(4)

    if fault:
        x, y = copies(torch.cat([d.x, d.xv]), torch.cat([d.y, d.yv]))
        order = torch.randperm(len(x), generator=draw)
        cut = 3 * len(order) // 4
        d = d._replace(x=x[order[:cut]], y=y[order[:cut]], xv=x[order[cut:]], yv=y[order[cut:]])
    else:
        x, y = copies(d.x, d.y)
        d = d._replace(x=x, y=y)
    model = ConvNet(28, width=8)
    by_loader(watch, model, Adam(model.parameters(), lr=3e-3), F.cross_entropy, d, epochs=7)
    return honesty(model, d)


@case("data.leakage", "overlapping_windows", also=LEAK, source="https://github.com/stefyste/RIAWELC/issues/2")
def windows(watch: Watch, fault: bool) -> float:
    """Windows of one long walk, which overlap, are split at random instead of by time."""
    draw = np.random.default_rng(0)
    walk = np.cumsum(draw.standard_normal(700)) * 0.3
    x = torch.tensor(np.stack([walk[i : i + 20] for i in range(660)]), dtype=torch.float32)
    y = torch.tensor(walk[40:700] - walk[20:680], dtype=torch.float32)
    order = torch.randperm(560, generator=torch.Generator().manual_seed(0)) if fault else torch.arange(560)
    a, b = order[:420], order[420:] if fault else order[460:]
    mean, sd = x[a].mean(), x[a].std()
    x = (x - mean) / sd
    d = D.Split(x[a], y[a], x[b], y[b], x[600:], y[600:])
    model = mlp(20, 64, 64, 1)
    opt = Adam(model.parameters(), lr=3e-3)
    seen = watch(model, opt, F.mse_loss, train=(d.x, d.y[:, None]), val=(d.xv, d.yv[:, None]))
    best, waited = float("inf"), 0
    for _ in range(25):
        for xb, yb in shuffled(d.x, d.y, 16):
            opt.zero_grad()
            loss = F.mse_loss(model(xb), yb[:, None])
            loss.backward()
            opt.step()
            seen.step(loss)
        with torch.no_grad():
            val = F.mse_loss(model(d.xv), d.yv[:, None]).item()
        seen.validated(loss=val)
        best, waited = (val, 0) if val < best else (best, waited + 1)
        if waited == 2:
            break
    return 1 - min(1.0, max(0.0, score_of(model, d.xv, d.yv, r2) - max(-1.0, score_of(model, d.xt, d.yt, r2))))


SHIFT = "eval.overfit"


@case("data.split_shift", "split_of_sorted_classes", also=SHIFT + " data.class_imbalance")
def sorted_split(watch: Watch, fault: bool) -> float:
    """The file is sorted by class and cut without shuffling: the last classes are in the validation rows only."""
    d = D.digits()
    x, y = torch.cat([d.x, d.xv]), torch.cat([d.y, d.yv])
    order = torch.argsort(y, stable=True) if fault else torch.arange(len(y))
    cut = int(0.75 * len(y))
    a, b = order[:cut], order[cut:]
    d = D.Split(x[a], y[a], x[b], y[b], d.xt, d.yt)
    model = mlp(64, 64, 10)
    by_loader(watch, model, Adam(model.parameters(), lr=3e-3), nn.CrossEntropyLoss(), d, epochs=10)
    return score_of(model, d.xt, d.yt)


@case("data.split_shift", "friedman_cut_by_a_column", also=SHIFT, column=3)
@case("data.split_shift", "friedman_cut_by_another", also=SHIFT, column=0)
def cut_by_column(watch: Watch, fault: bool, column: int) -> float:
    """The rows were sorted by a column, and the last ones set aside."""
    d = D.friedman()
    x, y = torch.cat([d.x, d.xv]), torch.cat([d.y, d.yv])
    order = torch.argsort(x[:, column]) if fault else torch.arange(len(y))
    cut = int(0.6 * len(y))
    a, b = order[:cut], order[cut:]
    d = D.Split(x[a], y[a], x[b], y[b], d.xt, d.yt)
    model = mlp(10, 64, 1)
    by_slices(
        watch, model, Adam(model.parameters(), lr=3e-3), lambda z, t: F.mse_loss(z[:, 0], t), d, epochs=20, score=r2
    )
    return score_of(model, d.xv, d.yv, r2)


@case("data.split_shift", "mnist_other_scanner", also=SHIFT + " eval.preprocess_mismatch")
def scanner(watch: Watch, fault: bool) -> float:
    """Training images come from one source; the validation images, shifted and thick, from another."""
    d = D.scaled(D.images("mnist", 1500))
    if fault:
        xv = F.max_pool2d(d.xv, 3, 1, 1).roll((4, 3), (2, 3)) * 0.6 + 0.2
        d = d._replace(xv=xv)
    model = ConvNet(28, width=6)
    by_loader(watch, model, Adam(model.parameters(), lr=3e-3), nn.CrossEntropyLoss(), d, epochs=6)
    return score_of(model, d.xv, d.yv)


@case(
    "data.no_shuffle",
    "digits_sorted",
    also="data.class_imbalance",
    source="https://github.com/Deci-AI/super-gradients/issues/416",
)
def sorted_digits(watch: Watch, fault: bool) -> float:
    d = D.digits()
    order = torch.argsort(d.y)
    d = d._replace(x=d.x[order], y=d.y[order])
    model = mlp(64, 64, 10)
    criterion = nn.CrossEntropyLoss()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    train_loader = DataLoader(TensorDataset(d.x, d.y), batch_size=32, shuffle=not fault)
    seen = watch(model, optimizer, criterion, train=train_loader, val=(d.xv, d.yv))
    for _epoch in range(8):
        for data, target in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(data), target)
            loss.backward()
            optimizer.step()
            seen.step(loss)
        with torch.no_grad():
            z = model(d.xv)
        seen.validated(loss=criterion(z, d.yv).item(), metric=accuracy(z, d.yv))
    return score_of(model, d.xt, d.yt)


@case("data.no_shuffle", "waves_class_after_class")
def sorted_waves(watch: Watch, fault: bool) -> float:
    d = S.waves(800)
    order = torch.argsort(d.y)
    x, y = d.x[order], d.y[order]
    model = Recurrent("GRU", hidden=16)
    opt = Adam(model.parameters(), lr=0.01)
    seen = watch(model, opt, F.cross_entropy, train=(x, y), val=(d.xv, d.yv))
    for _ in range(8):
        parts = zip(x.split(32), y.split(32), strict=True) if fault else shuffled(x, y, 32)
        for xb, yb in parts:
            opt.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
            seen.step(loss)
    return score_of(model, d.xt, d.yt)


@case("data.no_shuffle", "resnet_batch_norm_sorted", also="eval.train_mode_at_eval optim.bn_small_batch")
def sorted_resnet(watch: Watch, fault: bool) -> float:
    """Batch norm sees one class a batch."""
    d = D.digits(image=True)
    order = torch.argsort(d.y)
    loader = DataLoader(TensorDataset(d.x[order], d.y[order]), batch_size=32, shuffle=not fault)
    model = small_resnet()
    opt = AdamW(model.parameters(), lr=3e-3)
    seen = watch(model, opt, F.cross_entropy, train=loader, val=(d.xv, d.yv), metric=accuracy)
    for _ in range(4):
        model.train()
        for x, y in loader:
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            opt.zero_grad()
            seen.step(loss)
        model.eval()
        with torch.no_grad():
            z = model(d.xv)
        seen.validated(loss=F.cross_entropy(z, d.yv).item(), metric=accuracy(z, d.yv))
    return score_of(model, d.xt, d.yt)


@case("data.no_shuffle", "law_sorted_by_target")
def sorted_law(watch: Watch, fault: bool) -> float:
    d = D.law()
    order = torch.argsort(d.y)
    x, y = d.x[order], d.y[order]
    model = mlp(3, 32, 32, 1)
    opt = SGD(model.parameters(), lr=0.1)
    seen = watch(model, opt, nn.MSELoss(), train=(x, y.unsqueeze(1)), val=(d.xv, d.yv.unsqueeze(1)))
    mse = nn.MSELoss()
    for _ in range(25):
        for i in range(0, len(x), 25):
            rows = torch.arange(i, i + 25) if fault else torch.randint(0, len(x), (25,))
            opt.zero_grad()
            loss = mse(model(x[rows]), y[rows].unsqueeze(1))
            loss.backward()
            opt.step()
            seen.step(loss)
    return score_of(model, d.xt, d.yt, r2)
