"""Faults in what a network can say: no non-linearity, an output that cannot reach its targets, too narrow a middle."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam

from .. import data as D
from .. import sequences as S
from ..case import case
from ..loops import Watch, by_dataset, by_full, by_loader, by_slices, by_steps
from ..nets import Recurrent, accuracy, conv1d, half, mlp, r2, score_of, side

LINEAR = "eval.underfit"


@case(
    "model.missing_nonlinearity",
    "moons_stack",
    source="https://github.com/nutonomy/nuscenes-devkit/issues/728",
    also=LINEAR,
)
@case("model.missing_nonlinearity", "circles_stack", also=LINEAR, kind="circles")
def stack(watch: Watch, fault: bool, kind: str = "moons") -> float:
    d = D.moons(kind=kind)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2, self.fc3 = nn.Linear(2, 32), nn.Linear(32, 32), nn.Linear(32, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.fc1(x) if fault else F.relu(self.fc1(x))
            x = self.fc2(x) if fault else F.relu(self.fc2(x))
            return self.fc3(x)

    model = Net()
    by_loader(watch, model, Adam(model.parameters(), lr=5e-3), nn.CrossEntropyLoss(), d, epochs=20)
    return score_of(model, d.xt, d.yt)


@case(
    "model.missing_nonlinearity", "friedman_sequential", source="https://github.com/YujiaBao/ls/issues/1", also=LINEAR
)
def sequential(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    layers = [nn.Linear(10, 64), nn.Linear(64, 64), nn.Linear(64, 1)]
    if not fault:
        layers = [layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2]]
    model = nn.Sequential(*layers)
    by_slices(
        watch,
        model,
        Adam(model.parameters(), lr=3e-3),
        lambda z, y: F.mse_loss(z.squeeze(-1), y),
        d,
        epochs=20,
        score=r2,
    )
    return score_of(model, d.xt, d.yt, r2)


@case("model.missing_nonlinearity", "waves_conv1d", also=LINEAR)
def linear_conv(watch: Watch, fault: bool) -> float:
    d = S.waves()
    d = d._replace(x=d.x.mT, xv=d.xv.mT, xt=d.xt.mT)
    model = conv1d(act=nn.Identity if fault else nn.ReLU)
    by_steps(watch, model, Adam(model.parameters(), lr=0.01), F.cross_entropy, d, steps=250)
    return score_of(model, d.xt, d.yt)


@case("model.wrong_output_activation", "digits_relu_before_ce", also="model.dead_relu")
def relu_head(watch: Watch, fault: bool) -> float:
    """ReLU on the logits: only few of them can be right."""
    d = D.digits()
    model = mlp(64, 48, 10)
    nn.init.constant_(model[2].bias, -0.6)
    if fault:
        model.append(nn.ReLU())
    by_loader(watch, model, SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss(), d, epochs=12, batch=16)
    return score_of(model, d.xt, d.yt)


REACH = "https://github.com/jsyoon0823/Time-series-prediction/issues/3"


@case("model.wrong_output_activation", "friedman_sigmoid", source=REACH, last=nn.Sigmoid, also="data.target_unscaled")
@case(
    "model.wrong_output_activation",
    "friedman_relu",
    source=REACH,
    last=nn.ReLU,
    also="model.dead_relu data.target_unscaled",
)
def unreachable(watch: Watch, fault: bool, last: type[nn.Module]) -> float:
    """Half of the standardised targets are negative."""
    d = D.friedman()
    model = nn.Sequential(nn.Linear(10, 48), nn.ReLU(), nn.Linear(48, 1))
    if fault:
        model.append(last())
    by_slices(
        watch,
        model,
        Adam(model.parameters(), lr=5e-3),
        lambda z, y: F.mse_loss(z.reshape(-1), y),
        d,
        epochs=20,
        score=r2,
    )
    return score_of(model, d.xt, d.yt, r2)


@case("model.wrong_output_activation", "softmax_over_one_unit")
def softmax_one(watch: Watch, fault: bool) -> float:
    """Softmax over a single unit is always 1."""
    d = D.table("breast_cancer")
    model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1), nn.Softmax(dim=1) if fault else nn.Sigmoid())
    bce = nn.BCELoss()
    opt = Adam(model.parameters(), lr=3e-3)
    by_loader(watch, model, opt, lambda p, y: bce(p, y.float().view(-1, 1)), d, epochs=15, score=half)
    return score_of(model, d.xt, d.yt, half)


@case("model.wrong_output_activation", "forecast_tanh_of_large_values", also="data.target_unscaled")
def tanh_forecast(watch: Watch, fault: bool) -> float:
    d = S.forecast()
    d = d._replace(y=3 * d.y, yv=3 * d.yv, yt=3 * d.yt)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Flatten(), nn.Linear(20, 48), nn.ReLU(), nn.Linear(48, 1))

        def forward(self, x: Tensor) -> Tensor:
            z = self.body(x)
            return torch.tanh(z) if fault else z

    model = Net()
    by_full(watch, model, Adam(model.parameters(), lr=0.01), nn.MSELoss(), d, steps=250, score=r2)
    return score_of(model, d.xt, d.yt, r2)


def one_of_three(z: Tensor, y: Tensor) -> float:
    """One logit can only say class 0 or 1."""
    return accuracy(z, y) if z.shape[1] > 1 else float(((z[:, 0] > 0).long() == y).float().mean())


@case("model.wrong_output_size", "wine_one_logit_three_classes", also="loss.wrong_sign", table="wine")
@case("model.wrong_output_size", "iris_one_logit_three_classes", also="loss.wrong_sign", table="iris")
def one_logit(watch: Watch, fault: bool, table: str) -> float:
    """A binary head and loss on labels 0, 1, 2: the loss goes below 0."""
    d = D.table(table)
    model = mlp(d.x.shape[1], 16, 1 if fault else 3)

    def loss_fn(z: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(z[:, 0], y.float()) if fault else F.cross_entropy(z, y)

    by_loader(watch, model, Adam(model.parameters(), lr=0.01), loss_fn, d, epochs=20, batch=16, score=one_of_three)
    return score_of(model, d.xt, d.yt, one_of_three)


@case(
    "model.wrong_output_size",
    "labels_one_and_two",
    source="https://github.com/MontaEllis/Pytorch-Medical-Segmentation/issues/8",
    also="loss.wrong_sign model.wrong_output_activation",
)
def one_and_two(watch: Watch, fault: bool) -> float:
    """Labels 1 and 2 of a file go into a binary loss as they are."""
    d = D.table("breast_cancer")
    if fault:
        d = d._replace(y=d.y + 1, yv=d.yv + 1)
    model = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 1))
    criterion = nn.BCEWithLogitsLoss()
    opt = Adam(model.parameters(), lr=3e-3)
    by_slices(watch, model, opt, lambda z, y: criterion(z.squeeze(1), y.float()), d, epochs=12)
    return score_of(model, d.xt, d.yt, side)


@case("model.wrong_output_size", "waves_two_outputs_for_four_classes", also="loss.shape_broadcast loss.mse_for_classes")
def two_outputs(watch: Watch, fault: bool) -> float:
    """Class numbers taken modulo the outputs that are there, to stop an error."""
    d = S.waves()
    model = Recurrent("GRU", hidden=16, outputs=2 if fault else 4)

    def loss_fn(z: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(z, y.clamp_max(z.shape[1] - 1))

    by_steps(watch, model, Adam(model.parameters(), lr=0.01), loss_fn, d, steps=150)
    return score_of(model, d.xt, d.yt)


NARROW = "eval.underfit"


@case("model.bottleneck", "digits_two_units", also=NARROW + " model.dead_relu")
def two_units(watch: Watch, fault: bool) -> float:
    d = D.digits()
    model = mlp(64, 64, 2 if fault else 32, 10)
    by_loader(watch, model, Adam(model.parameters(), lr=5e-3), nn.CrossEntropyLoss(), d, epochs=12)
    return score_of(model, d.xt, d.yt)


@case("model.bottleneck", "friedman_one_unit", also=NARROW)
def one_unit(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    model = mlp(10, 1 if fault else 48, 1, act=nn.Tanh)
    by_slices(
        watch, model, Adam(model.parameters(), lr=0.01), lambda z, y: F.mse_loss(z.flatten(), y), d, epochs=25, score=r2
    )
    return score_of(model, d.xt, d.yt, r2)


@case("model.bottleneck", "tokens_one_hidden_state", also=NARROW)
def one_state(watch: Watch, fault: bool) -> float:
    d = S.majority(length=9)
    model = Recurrent("GRU", inputs=6, hidden=1 if fault else 20, outputs=3, tokens=3)
    by_steps(watch, model, Adam(model.parameters(), lr=0.02), F.cross_entropy, d, steps=300)
    return score_of(model, d.xt, d.yt)


@case("model.bottleneck", "digits_autoencoder_one_code", also=NARROW)
def one_code(watch: Watch, fault: bool) -> float:
    d = D.digits()
    d = D.Split(d.x, d.x, d.xv, d.xv, d.xt, d.xt)
    code = 1 if fault else 24
    model = nn.Sequential(
        nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, code), nn.Linear(code, 48), nn.ReLU(), nn.Linear(48, 64)
    )
    by_dataset(watch, model, Adam(model.parameters(), lr=8e-3), nn.MSELoss(), d, epochs=20, batch=32)
    return score_of(model, d.xt, d.yt, r2)
