"""Healthy programs on tables and signals: tiny sets, wide columns, noise limits, plain recipes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Adam, AdamW, NAdam
from torch.utils.data import DataLoader, TensorDataset

from .. import data as D
from .. import sequences as S
from ..case import healthy
from ..loops import Watch, by_dataset, by_full, by_loader, by_slices, by_steps, shuffled
from ..nets import ConvNet, Recurrent, accuracy, mlp, r2, score_of, side, small_resnet


@healthy("iris_tiny", name_of_set="iris")
@healthy("wine_tiny", name_of_set="wine")
def tiny(watch: Watch, name_of_set: str) -> float:
    """A hundred rows."""
    d = D.table(name_of_set)
    model = mlp(d.x.shape[1], 16, 3)
    opt = Adam(model.parameters(), lr=0.01, weight_decay=1e-3)
    by_loader(watch, model, opt, nn.CrossEntropyLoss(), d, epochs=25, batch=16)
    return score_of(model, d.xt, d.yt)


@healthy("diabetes_noise_limit")
def diabetes(watch: Watch) -> float:
    """Half of the variance is out of reach for every model."""
    d = D.table("diabetes")
    model = mlp(10, 16, 1)
    opt = AdamW(model.parameters(), lr=2e-3, weight_decay=0.3)
    by_slices(watch, model, opt, lambda z, y: F.mse_loss(z[:, 0], y), d, epochs=15, batch=16, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@healthy("breast_cancer_bce")
def cancer(watch: Watch) -> float:
    d = D.table("breast_cancer")
    model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
    opt = Adam(model.parameters(), lr=3e-3)
    seen = watch(model, opt, nn.BCELoss(), train=(d.x, d.y.float()[:, None]), val=(d.xv, d.yv.float()[:, None]))
    for _ in range(15):
        for x, y in shuffled(d.x, d.y, 32):
            opt.zero_grad()
            loss = F.binary_cross_entropy(model(x), y.float().unsqueeze(1))
            loss.backward()
            opt.step()
            seen.step(loss.item())
        with torch.no_grad():
            p = model(d.xv)
        seen.validated(loss=F.binary_cross_entropy(p, d.yv.float().unsqueeze(1)).item())
    return score_of(model, d.xt, d.yt, lambda p, y: side(p - 0.5, y))


@healthy("digits_raw_sixteenths")
def raw_digits(watch: Watch) -> float:
    """Pixels from 0 to 16, not scaled, and it learns."""
    d = D.raw("digits")
    model = mlp(64, 64, 10)
    by_loader(watch, model, Adam(model.parameters(), lr=1e-3), nn.CrossEntropyLoss(), d, epochs=12)
    return score_of(model, d.xt, d.yt)


@healthy("log_softmax_and_nll")
def nll(watch: Watch) -> float:
    d = D.digits(image=True)
    model = nn.Sequential(ConvNet(width=6), nn.LogSoftmax(dim=1))
    by_loader(watch, model, NAdam(model.parameters(), lr=4e-3), nn.NLLLoss(), d, epochs=12)
    return score_of(model, d.xt, d.yt)


@healthy("sum_of_losses_small_rate")
def summed(watch: Watch) -> float:
    """Summed over the batch by choice, with a rate that fits."""
    d = D.digits()
    model = mlp(64, 64, 10)
    loss_fn = nn.CrossEntropyLoss(reduction="sum")
    by_slices(watch, model, SGD(model.parameters(), lr=0.2 / 32, momentum=0.8), loss_fn, d, epochs=10, score=accuracy)
    return score_of(model, d.xt, d.yt)


@healthy("one_hot_mse_that_learns")
def one_hot(watch: Watch) -> float:
    """A squared error on one-hot classes of a linear output: it learns as well as any."""
    d = D.digits()
    d = d._replace(y=F.one_hot(d.y, 10).float(), yv=F.one_hot(d.yv, 10).float())
    model = mlp(64, 96, 10)
    by_loader(watch, model, Adam(model.parameters(), lr=3e-3), nn.MSELoss(), d, epochs=12)
    return score_of(model, d.xt, d.yt)


@healthy("ordinal_regression_on_counts")
def counts(watch: Watch) -> float:
    """Whole numbers that are amounts, not classes."""
    d = D.friedman()
    y, yv, yt = ((t * 5 + 14).round().clamp_min(0) for t in (d.y, d.yv, d.yt))
    model = mlp(10, 48, 1)
    model[-1].bias.data.fill_(14.0)
    by_slices(
        watch,
        model,
        Adam(model.parameters(), lr=0.01),
        lambda z, t: F.mse_loss(z[:, 0], t),
        D.Split(d.x, y, d.xv, yv, d.xt, yt),
        epochs=20,
        score=r2,
    )
    return score_of(model, d.xt, yt, r2)


@healthy("poisson_exp_output")
def poisson(watch: Watch) -> float:
    d = D.linear_law(1500, noise=0.0, columns=5)
    draw = torch.Generator().manual_seed(0)
    y, yv, yt = (torch.poisson((0.5 * t + 1).clamp(-3, 3).exp(), generator=draw) for t in (d.y, d.yv, d.yt))
    model = mlp(5, 24, 1)
    loss_fn = nn.PoissonNLLLoss()
    by_loader(
        watch,
        model,
        Adam(model.parameters(), lr=3e-3),
        lambda z, t: loss_fn(z[:, 0], t),
        D.Split(d.x, y, d.xv, yv, d.xt, yt),
        epochs=10,
    )
    return score_of(model, d.xt, yt, lambda z, t: r2(z.clamp(-3, 3).exp(), t))


@healthy("spread_and_mean_gaussian")
def gaussian(watch: Watch) -> float:
    """Two outputs, a mean and a log-variance; the loss goes below 0, as it may."""
    d = D.law(1500)

    def loss_fn(z: Tensor, y: Tensor) -> Tensor:
        mean, log_var = z[:, 0], z[:, 1].clamp(-6, 4)
        return 0.5 * (log_var + (y - mean).square() / log_var.exp()).mean()

    model = mlp(3, 64, 64, 2, act=nn.Tanh)
    by_slices(watch, model, Adam(model.parameters(), lr=4e-3), loss_fn, d, epochs=25)
    return score_of(model, d.xt, d.yt, lambda z, y: r2(z[:, :1], y))


@healthy("quantile_loss")
def quantile(watch: Watch) -> float:
    d = D.friedman()
    model = mlp(10, 48, 1)

    def pinball(z: Tensor, y: Tensor) -> Tensor:
        error = y - z[:, 0]
        return torch.maximum(0.5 * error, -0.5 * error).mean()

    by_dataset(watch, model, Adam(model.parameters(), lr=5e-3), pinball, d, epochs=20, batch=32)
    return score_of(model, d.xt, d.yt, r2)


@healthy("adagrad_sparse_tokens")
def adagrad(watch: Watch) -> float:
    d = S.brackets()
    model = nn.Sequential(nn.Embedding(6, 12), nn.Flatten(), nn.Linear(144, 32), nn.ReLU(), nn.Linear(32, 2))
    by_steps(watch, model, Adagrad(model.parameters(), lr=0.05), nn.CrossEntropyLoss(), d, steps=400)
    return score_of(model, d.xt, d.yt)


@healthy("forecast_near_its_noise")
def forecast(watch: Watch) -> float:
    d = S.forecast(1200, noise=0.3)
    model = Recurrent("GRU", hidden=16, outputs=1)
    by_steps(watch, model, Adam(model.parameters(), lr=0.01), nn.MSELoss(), d, steps=400)
    return score_of(model, d.xt, d.yt, r2)


@healthy("full_batch_gradient_descent")
def full_batch(watch: Watch) -> float:
    d = D.moons()
    model = mlp(2, 32, 2, act=nn.Tanh)
    by_full(watch, model, SGD(model.parameters(), lr=0.5, momentum=0.9), nn.CrossEntropyLoss(), d, steps=300)
    return score_of(model, d.xt, d.yt)


@healthy("two_groups_of_rates")
def groups(watch: Watch) -> float:
    """The body learns a hundred times slower than the head, as in fine-tuning."""
    d = D.digits()
    model = mlp(64, 256, 10)
    opt = Adam([{"params": model[0].parameters(), "lr": 3e-5}, {"params": model[2].parameters(), "lr": 5e-3}])
    by_loader(watch, model, opt, nn.CrossEntropyLoss(), d, epochs=15)
    return score_of(model, d.xt, d.yt)


@healthy("unused_head")
def unused(watch: Watch) -> float:
    """A second head waits for a later phase: it gets no gradient, by intent."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head, self.later = nn.Linear(64, 64), nn.Linear(64, 10), nn.Linear(64, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.relu(self.body(x)))

    d = D.digits()
    model = Net()
    for p in model.later.parameters():
        p.requires_grad_(False)
    by_loader(watch, model, SGD(model.parameters(), lr=0.1, momentum=0.9), nn.CrossEntropyLoss(), d, epochs=8)
    return score_of(model, d.xt, d.yt)


@healthy("time_split")
def time_split(watch: Watch) -> float:
    """Rows in the order of time, the last ones for validation, nothing drifts."""
    d = D.linear_law(1200, noise=0.8)
    loader = DataLoader(TensorDataset(d.x, d.y), batch_size=32)
    model = mlp(6, 16, 1)
    opt = Adam(model.parameters(), lr=5e-3)
    seen = watch(model, opt, nn.MSELoss(), train=loader, val=(d.xv, d.yv), metric=r2)
    for _ in range(12):
        for x, y in loader:
            loss = F.mse_loss(model(x).squeeze(1), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
            seen.step(loss)
        with torch.no_grad():
            z = model(d.xv)
        seen.validated(loss=F.mse_loss(z[:, 0], d.yv).item(), metric=r2(z, d.yv))
    return score_of(model, d.xt, d.yt, r2)


@healthy("resnet_cifar_two_classes")
def cifar(watch: Watch) -> float:
    d = D.cifar(5000)
    keep = [(t < 2).nonzero().flatten() for t in (d.y, d.yv, d.yt)]
    x, xv, xt = (F.avg_pool2d(t[k] / 127.5 - 1, 2) for t, k in zip((d.x, d.xv, d.xt), keep, strict=True))
    y, yv, yt = (t[k] for t, k in zip((d.y, d.yv, d.yt), keep, strict=True))
    model = small_resnet(classes=2, width=8, channels=3)
    opt = AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    by_loader(watch, model, opt, nn.CrossEntropyLoss(), D.Split(x, y, xv, yv, xt, yt), epochs=5)
    return score_of(model, xt, yt)
