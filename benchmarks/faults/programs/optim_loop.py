"""Faults of the update: gradients that pile up, parameters that stay, momentum, steps too few, schedules that end too soon."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, StepLR
from torch.utils.data import DataLoader, TensorDataset

from .. import data as D
from .. import sequences as S
from ..case import case
from ..loops import Watch, by_full, by_loader, by_slices, by_steps, shuffled
from ..nets import ConvNet, Recurrent, accuracy, mlp, r2, score_of

NO_ZERO = "https://github.com/IBM/aihwkit/issues/446"
LIST = "https://github.com/pytorch/pytorch/issues/666"
SCHEDULE = "https://github.com/leftthomas/SRGAN/issues/94"
PILED = "optim.lr_too_high optim.exploding_gradients optim.momentum_too_high model.dead_relu"


@case("optim.no_zero_grad", "digits_sgd", also=PILED, source=NO_ZERO, lr=0.1, momentum=0.0)
@case("optim.no_zero_grad", "digits_momentum", also=PILED, source=NO_ZERO, lr=0.05, momentum=0.9)
def no_zero(watch: Watch, fault: bool, lr: float, momentum: float) -> float:
    d = D.digits()
    model = mlp(64, 64, 10)
    loader = DataLoader(TensorDataset(d.x, d.y), 32, shuffle=True)
    criterion = nn.CrossEntropyLoss()
    optimizer = SGD(model.parameters(), lr=lr, momentum=momentum)
    seen = watch(model, optimizer, criterion, train=loader, val=(d.xv, d.yv))
    for _epoch in range(8):
        for images, target in loader:
            if not fault:
                optimizer.zero_grad()
            output = model(images)
            loss = criterion(output, target)
            loss.backward()
            optimizer.step()
            seen.step(loss)
    return score_of(model, d.xt, d.yt)


@case("optim.no_zero_grad", "law_full_batch", also=PILED, source=NO_ZERO)
def no_zero_full(watch: Watch, fault: bool) -> float:
    d = D.law()
    model = mlp(3, 32, 32, 1)
    mse = torch.nn.MSELoss()
    opt = SGD(model.parameters(), lr=0.1)
    seen = watch(model, opt, mse, train=(d.x, d.y[:, None]))
    for _t in range(400):
        loss = mse(model(d.x), d.y[:, None])
        loss.backward()
        opt.step()
        if not fault:
            model.zero_grad()
        seen.step(loss)
    return score_of(model, d.xt, d.yt, r2)


@case("optim.no_zero_grad", "tokens_gru_other_optimizer", also=PILED)
def no_zero_wrong_one(watch: Watch, fault: bool) -> float:
    """The zeroing is done on the head's parameters only."""
    d = S.majority()
    model = Recurrent("GRU", inputs=8, hidden=24, outputs=3, tokens=3)
    opt = SGD(model.parameters(), lr=0.2, momentum=0.9)
    cleared = model.out if fault else model
    seen = watch(model, opt, F.cross_entropy, train=(d.x, d.y), val=(d.xv, d.yv))
    for _ in range(10):
        for x, y in shuffled(d.x, d.y, 32):
            cleared.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            seen.step(loss)
        with torch.no_grad():
            z = model(d.xv)
            seen.validated(loss=F.cross_entropy(z, d.yv), metric=accuracy(z, d.yv))
    return score_of(model, d.xt, d.yt)


class Listed(nn.Module):
    """Hidden layers in a plain list are not found by parameters()."""

    def __init__(self, sizes: tuple[int, ...], outputs: int, listed: bool) -> None:
        super().__init__()
        layers = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
        self.hidden = layers if listed else nn.ModuleList(layers)
        self.out = nn.Linear(sizes[-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.hidden:
            x = torch.tanh(layer(x))
        return self.out(x)


@case("optim.frozen_params", "friedman_plain_list", also="model.bottleneck", source=LIST)
def plain_list(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    model = Listed((10, 12, 12), 1, listed=fault)
    by_slices(
        watch, model, Adam(model.parameters(), lr=0.01), lambda z, y: F.mse_loss(z[:, 0], y), d, epochs=20, score=r2
    )
    return score_of(model, d.xt, d.yt, r2)


@case("optim.frozen_params", "fashion_list_of_layers", also="model.bottleneck", source=LIST)
def list_mnist(watch: Watch, fault: bool) -> float:
    d = D.scaled(D.images("fashion", 2000))
    d = d._replace(x=d.x.flatten(1), xv=d.xv.flatten(1), xt=d.xt.flatten(1))
    model = Listed((784, 12, 12), 10, listed=fault)
    by_loader(watch, model, Adam(model.parameters(), lr=5e-3), nn.CrossEntropyLoss(), d, epochs=14)
    return score_of(model, d.xt, d.yt)


@case("optim.frozen_params", "optimizer_before_new_head")
def old_head(watch: Watch, fault: bool) -> float:
    """The body is trained no more, by intent; the new head is not in the optimiser, by mistake."""
    d = D.digits(image=True)
    model = ConvNet()
    opt = Adam(model.parameters(), lr=4e-3) if fault else None
    model.conv1, model.conv2 = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
    opt = opt or Adam(model.parameters(), lr=4e-3)
    by_slices(watch, model, opt, nn.CrossEntropyLoss(), d, epochs=8, score=accuracy)
    return score_of(model, d.xt, d.yt)


@case("optim.frozen_params", "detached_features")
def detached(watch: Watch, fault: bool) -> float:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb = nn.Embedding(8, 12)
            self.lstm = nn.LSTM(12, 16, batch_first=True)
            self.fc = nn.Linear(16, 8)

        def forward(self, ids: Tensor) -> Tensor:
            _, (h, _c) = self.lstm(self.emb(ids))
            h = h[-1].data if fault else h[-1]
            return self.fc(h)

    d = S.first_token(length=8)
    model = Net()
    by_steps(watch, model, Adam(model.parameters(), lr=0.01), F.cross_entropy, d, steps=400)
    return score_of(model, d.xt, d.yt)


@case("optim.momentum_too_high", "friedman_0.999", also="optim.lr_too_high", beta=0.999)
@case("optim.momentum_too_high", "friedman_0.995", also="optim.lr_too_high", expects="info", beta=0.995)
def momentum(watch: Watch, fault: bool, beta: float) -> float:
    d = D.friedman()
    model = mlp(10, 32, 1)
    opt = SGD(model.parameters(), lr=0.02, momentum=beta if fault else 0.9)
    by_full(watch, model, opt, lambda z, y: F.mse_loss(z[:, 0], y), d, steps=400, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@case("optim.momentum_too_high", "digits_conv_0.997", also="optim.lr_too_high model.dead_relu")
def momentum_conv(watch: Watch, fault: bool) -> float:
    d = D.digits(image=True)
    model = ConvNet()
    opt = SGD(model.parameters(), lr=0.02, momentum=0.997 if fault else 0.9, nesterov=True)
    by_loader(watch, model, opt, nn.CrossEntropyLoss(), d, epochs=8)
    return score_of(model, d.xt, d.yt)


@case("optim.too_few_epochs", "digits_one_epoch", also="optim.lr_too_low", epochs=1)
@case("optim.too_few_epochs", "digits_two_epochs", also="optim.lr_too_low", epochs=2)
def few(watch: Watch, fault: bool, epochs: int) -> float:
    d = D.digits()
    model = mlp(64, 64, 10)
    by_loader(
        watch,
        model,
        SGD(model.parameters(), lr=0.03),
        nn.CrossEntropyLoss(),
        d,
        epochs=epochs if fault else 20,
        batch=16,
    )
    return score_of(model, d.xt, d.yt)


@case("optim.too_few_epochs", "friedman_adam", also="optim.lr_too_low")
def few_friedman(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    model = mlp(10, 48, 48, 1)
    by_slices(
        watch,
        model,
        Adam(model.parameters(), lr=1e-3),
        lambda z, y: F.mse_loss(z.flatten(), y),
        d,
        epochs=2 if fault else 20,
        score=r2,
    )
    return score_of(model, d.xt, d.yt, r2)


@case("optim.too_few_epochs", "waves_gru", also="optim.lr_too_low")
def few_waves(watch: Watch, fault: bool) -> float:
    d = S.waves()
    model = Recurrent("GRU", hidden=20)
    by_steps(watch, model, Adam(model.parameters(), lr=0.01), F.cross_entropy, d, steps=20 if fault else 200)
    return score_of(model, d.xt, d.yt)


@case(
    "optim.schedule_collapsed",
    "digits_step_lr_per_batch",
    also="optim.too_few_epochs optim.lr_too_low",
    source=SCHEDULE,
    kind="step",
)
@case(
    "optim.schedule_collapsed",
    "digits_exponential_per_batch",
    also="optim.too_few_epochs optim.lr_too_low",
    source=SCHEDULE,
    kind="exp",
)
def per_batch(watch: Watch, fault: bool, kind: str) -> float:
    d = D.digits()
    model = mlp(64, 48, 10)
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
    scheduler = StepLR(optimizer, 5, gamma=0.1) if kind == "step" else ExponentialLR(optimizer, 0.7)
    loss_fn = nn.CrossEntropyLoss()
    train_loader = DataLoader(TensorDataset(d.x, d.y), batch_size=32, shuffle=True)
    seen = watch(model, optimizer, loss_fn, train=train_loader, val=(d.xv, d.yv), metric=accuracy)
    for _epoch in range(8):
        for xb, yb in train_loader:
            optimizer.zero_grad()
            loss = loss_fn(model(xb), yb)
            loss.backward()
            optimizer.step()
            if fault:
                scheduler.step()
            seen.step(loss)
        if not fault:
            scheduler.step()
        model.eval()
        with torch.no_grad():
            out = model(d.xv)
        seen.validated(loss=loss_fn(out, d.yv).item(), metric=accuracy(out, d.yv))
        model.train()
    return score_of(model, d.xt, d.yt)


@case("optim.schedule_collapsed", "law_cosine_t_max", also="optim.too_few_epochs optim.lr_too_low", source=SCHEDULE)
def cosine(watch: Watch, fault: bool) -> float:
    """The length of the schedule was meant in epochs, and it is stepped each step."""
    d = D.law()
    model = mlp(3, 48, 48, 1)
    opt = AdamW(model.parameters(), lr=3e-3)
    steps = 400
    schedule = CosineAnnealingLR(opt, T_max=25 if fault else steps)
    seen = watch(model, opt, F.mse_loss, train=(d.x, d.y[:, None]))
    for step in range(steps):
        rows = torch.randint(0, len(d.x), (64,))
        loss = F.mse_loss(model(d.x[rows]), d.y[rows, None])
        opt.zero_grad()
        loss.backward()
        opt.step()
        if not fault or step < 25:
            schedule.step()
        seen.step(loss)
    return score_of(model, d.xt, d.yt, r2)
