"""Faults in the loss: summed instead of averaged, shapes that broadcast."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam

from .. import data as D
from .. import sequences as S
from ..case import case
from ..loops import Watch, by_dataset, by_full, by_loader, by_slices, shuffled
from ..nets import ConvNet, Recurrent, half, mlp, r2, score_of

SUM = "optim.lr_too_high optim.exploding_gradients model.dead_relu"


@case(
    "loss.sum_reduction",
    "digits_sum",
    source="https://github.com/ai-safety-foundation/sparse_autoencoder/issues/63",
    also=SUM,
)
def digits_sum(watch: Watch, fault: bool) -> float:
    d = D.digits()
    model = mlp(64, 64, 10)
    criterion = nn.CrossEntropyLoss(reduction="sum" if fault else "mean")
    by_loader(watch, model, SGD(model.parameters(), lr=0.1, momentum=0.9), criterion, d, epochs=8)
    return score_of(model, d.xt, d.yt)


@case("loss.sum_reduction", "friedman_squares_summed", also=SUM)
def squares(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    model = mlp(10, 32, 1)

    def loss_fn(z: Tensor, y: Tensor) -> Tensor:
        squared = (z.view(-1) - y).pow(2)
        return squared.sum() if fault else squared.mean()

    by_full(watch, model, SGD(model.parameters(), lr=0.05), loss_fn, d, steps=300, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@case("loss.sum_reduction", "conv_batch_of_256", also=SUM)
def conv_sum(watch: Watch, fault: bool) -> float:
    d = D.digits(image=True)
    model = ConvNet(norm=True)
    loss_fn = lambda z, y: F.cross_entropy(z, y, reduction="sum" if fault else "mean")  # noqa: E731
    by_dataset(watch, model, SGD(model.parameters(), lr=0.1, momentum=0.9), loss_fn, d, epochs=15, batch=128)
    return score_of(model, d.xt, d.yt)


SHAPE = "https://github.com/deepset-ai/FARM/issues/229"


@case("loss.shape_broadcast", "friedman_column_against_row", source=SHAPE)
def broadcast(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    model = mlp(10, 48, 1)
    criterion = nn.MSELoss()
    opt = Adam(model.parameters(), lr=5e-3)
    targets = d.y if fault else d.y.unsqueeze(1)
    seen = watch(model, opt, criterion, train=(d.x, targets), val=(d.xv, d.yv if fault else d.yv.unsqueeze(1)))
    for _epoch in range(15):
        for inputs, labels in shuffled(d.x, targets, 32):
            opt.zero_grad()
            loss = criterion(model(inputs), labels)
            loss.backward()
            opt.step()
            seen.step(loss)
    return score_of(model, d.xt, d.yt, r2)


@case("loss.shape_broadcast", "forecast_squeezed_output", source="https://github.com/andrewgcodes/xlstm/issues/4")
def squeezed(watch: Watch, fault: bool) -> float:
    d = S.forecast()
    model = Recurrent("GRU", hidden=20, outputs=1)
    if fault:
        model = nn.Sequential(model, nn.Flatten(0))
    by_loader(watch, model, Adam(model.parameters(), lr=0.01), nn.SmoothL1Loss(), d, epochs=8, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@case("loss.shape_broadcast", "breast_cancer_own_bce")
def own_bce(watch: Watch, fault: bool) -> float:
    """A squared error on probabilities, written out: (N, 1) − (N,)."""
    d = D.table("breast_cancer")
    model = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 1), nn.Sigmoid())

    def loss_fn(p: Tensor, y: Tensor) -> Tensor:
        y = y.float() if fault else y.float().unsqueeze(1)
        p = p.clamp(1e-6, 1 - 1e-6)
        return -(y * p.log() + (1 - y) * (1 - p).log()).mean()

    by_slices(watch, model, Adam(model.parameters(), lr=3e-3), loss_fn, d, epochs=12)
    return score_of(model, d.xt, d.yt, half)


@case("loss.shape_broadcast", "diabetes_l1_full_batch", source=SHAPE)
def l1_full(watch: Watch, fault: bool) -> float:
    d = D.table("diabetes")
    if not fault:
        d = d._replace(y=d.y.view(-1, 1), yv=d.yv.view(-1, 1))
    model = mlp(10, 24, 1)
    by_full(watch, model, Adam(model.parameters(), lr=5e-3), nn.HuberLoss(), d, steps=60, score=lambda z, y: r2(z, y))
    return score_of(model, d.xt, d.yt, r2)
