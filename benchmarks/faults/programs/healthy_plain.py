"""Healthy programs that look hard: intent that resembles a fault, noise that cannot be learned away, small and odd trainings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, CosineAnnealingWarmRestarts, LambdaLR
from torch.utils.data import DataLoader, TensorDataset

from .. import data as D
from .. import sequences as S
from ..case import healthy
from ..loops import Watch, by_dataset, by_full, by_loader, by_slices, by_steps, shuffled
from ..nets import ConvNet, Recurrent, Transformer, accuracy, balanced, mlp, r2, score_of, side


@healthy("frozen_backbone")
def frozen_backbone(watch: Watch) -> float:
    d = D.digits(image=True)
    model = ConvNet(width=16)
    for p in [*model.conv1.parameters(), *model.conv2.parameters()]:
        p.requires_grad = False
    by_loader(
        watch,
        model,
        Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=0.02),
        nn.CrossEntropyLoss(),
        d,
        epochs=12,
    )
    return score_of(model, d.xt, d.yt)


@healthy("gradient_accumulation", every=4)
def accumulation(watch: Watch, every: int) -> float:
    d = D.digits()
    model = mlp(64, 64, 10)
    opt = SGD(model.parameters(), lr=0.1, momentum=0.9)
    seen = watch(model, opt, F.cross_entropy, train=(d.x, d.y), val=(d.xv, d.yv))
    for _epoch in range(10):
        opt.zero_grad()
        for i, (x, y) in enumerate(shuffled(d.x, d.y, 8)):
            loss = F.cross_entropy(model(x), y) / every
            loss.backward()
            if (i + 1) % every == 0:
                opt.step()
                opt.zero_grad()
                seen.step(loss * every)
        z = model(d.xv)
        seen.validated(loss=F.cross_entropy(z, d.yv).item(), metric=accuracy(z, d.yv))
    return score_of(model, d.xt, d.yt)


@healthy("warm_restarts")
def restarts(watch: Watch) -> float:
    d = D.friedman()
    model = mlp(10, 48, 48, 1)
    opt = Adam(model.parameters(), lr=5e-3)
    schedule = CosineAnnealingWarmRestarts(opt, 5)
    by_dataset(watch, model, opt, lambda z, y: F.mse_loss(z[:, 0], y), d, epochs=20, batch=32, schedule=schedule)
    return score_of(model, d.xt, d.yt, r2)


@healthy("linear_on_a_linear_law")
def linear(watch: Watch) -> float:
    d = D.linear_law()
    model = nn.Linear(6, 1)
    by_slices(
        watch,
        model,
        SGD(model.parameters(), lr=0.02),
        lambda z, y: F.mse_loss(z.squeeze(-1), y),
        d,
        epochs=20,
        score=r2,
    )
    return score_of(model, d.xt, d.yt, r2)


@healthy("logistic_regression")
def logistic(watch: Watch) -> float:
    d = D.table("breast_cancer")
    model = nn.Linear(30, 1)
    by_full(
        watch,
        model,
        SGD(model.parameters(), lr=0.5),
        lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0], y.float()),
        d,
        steps=200,
        score=side,
    )
    return score_of(model, d.xt, d.yt, side)


@healthy("batch_of_one")
def one_row(watch: Watch) -> float:
    d = D.table("wine")
    model = mlp(13, 16, 3)
    opt = SGD(model.parameters(), lr=0.03)
    seen = watch(model, opt, F.cross_entropy, train=(d.x, d.y), val=(d.xv, d.yv))
    for _ in range(4):
        for i in torch.randperm(len(d.x)):
            opt.zero_grad()
            loss = F.cross_entropy(model(d.x[i : i + 1]), d.y[i : i + 1])
            loss.backward()
            opt.step()
            seen.step(loss)
    return score_of(model, d.xt, d.yt)


@healthy("sparse_after_relu")
def sparse(watch: Watch) -> float:
    """Nine tenths of the activations are 0, and it learns."""
    d = D.digits()
    model = mlp(64, 512, 10)
    nn.init.constant_(model[0].bias, -0.9)
    by_loader(watch, model, Adam(model.parameters(), lr=6e-3), nn.CrossEntropyLoss(), d, epochs=16)
    return score_of(model, d.xt, d.yt)


@healthy("nine_to_one")
def nine_to_one(watch: Watch) -> float:
    d = D.classes(1500, count=2, weights=(0.9, 0.1), sep=2.0, flip_y=0.0)
    model = mlp(20, 32, 2)
    by_loader(watch, model, Adam(model.parameters(), lr=5e-3), nn.CrossEntropyLoss(), d, epochs=12)
    return score_of(model, d.xt, d.yt, balanced)


@healthy("heavy_tailed_noise")
def heavy_tails(watch: Watch) -> float:
    """Half of the variance is noise that nothing explains."""
    d = D.linear_law(1500, noise=0.0)
    draw = torch.Generator().manual_seed(0)
    y, yv, yt = (t + _tails(t, draw) for t in (d.y, d.yv, d.yt))
    model = mlp(6, 16, 1)
    by_slices(
        watch,
        model,
        Adam(model.parameters(), lr=3e-3),
        lambda z, t: F.huber_loss(z[:, 0], t),
        d._replace(y=y, yv=yv),
        epochs=10,
        score=r2,
    )
    return score_of(model, d.xt, yt, r2)


def _tails(like: Tensor, draw: torch.Generator) -> Tensor:
    normal = torch.randn(4, len(like), generator=draw)
    return 1.5 * normal[0] / normal[1:].square().mean(0).sqrt()


@healthy("bayes_error_of_a_quarter")
def bayes(watch: Watch) -> float:
    """A fair label for three rows of four; no net can do better."""
    d = D.linear_law(5000, noise=0.0, columns=8)
    draw = torch.Generator().manual_seed(1)
    y, yv, yt = ((t > 0).long() ^ (torch.rand(len(t), generator=draw) < 0.25).long() for t in (d.y, d.yv, d.yt))
    model = mlp(8, 8, 2)
    by_loader(
        watch,
        model,
        Adam(model.parameters(), lr=3e-3),
        nn.CrossEntropyLoss(),
        D.Split(d.x, y, d.xv, yv, d.xt, yt),
        epochs=6,
    )
    return score_of(model, d.xt, yt)


@healthy("rate_of_a_tenth")
def tenth(watch: Watch) -> float:
    d = D.digits(image=True)
    model = ConvNet(norm=True)
    opt = SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    by_loader(watch, model, opt, nn.CrossEntropyLoss(), d, epochs=6)
    return score_of(model, d.xt, d.yt)


@healthy("cosine_to_zero")
def to_zero(watch: Watch) -> float:
    d = D.digits()
    model = mlp(64, 64, 10)
    opt = SGD(model.parameters(), lr=0.1, momentum=0.9)
    by_dataset(watch, model, opt, nn.CrossEntropyLoss(), d, epochs=12, batch=32, schedule=CosineAnnealingLR(opt, 12))
    return score_of(model, d.xt, d.yt)


@healthy("label_smoothing")
def smoothing(watch: Watch) -> float:
    d = D.digits()
    model = mlp(64, 64, 10)
    by_loader(watch, model, Adam(model.parameters(), lr=3e-3), nn.CrossEntropyLoss(label_smoothing=0.2), d, epochs=10)
    return score_of(model, d.xt, d.yt)


@healthy("mixup")
def mixup(watch: Watch) -> float:
    d = D.digits()
    model = mlp(64, 64, 10)
    opt = Adam(model.parameters(), lr=3e-3)
    loader = DataLoader(TensorDataset(d.x, d.y), 32, shuffle=True)
    seen = watch(model, opt, nn.CrossEntropyLoss(), train=loader, val=(d.xv, d.yv))
    for _ in range(12):
        for x, y in loader:
            lam = float(torch.distributions.Beta(0.4, 0.4).sample())
            other = torch.randperm(len(x))
            z = model(lam * x + (1 - lam) * x[other])
            loss = lam * F.cross_entropy(z, y) + (1 - lam) * F.cross_entropy(z, y[other])
            opt.zero_grad()
            loss.backward()
            opt.step()
            seen.step(loss)
        with torch.no_grad():
            z = model(d.xv)
        seen.validated(loss=F.cross_entropy(z, d.yv).item(), metric=accuracy(z, d.yv))
    return score_of(model, d.xt, d.yt)


@healthy("warmup_transformer")
def warmup(watch: Watch) -> float:
    """Nothing moves at first: the rate climbs for a third of the steps."""
    d = S.majority()
    model = Transformer(tokens=3, classes=3)
    opt = AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = LambdaLR(opt, lambda step: min(1.0, (step + 1) / 80))
    seen = watch(model, opt, F.cross_entropy, train=(d.x, d.y), val=(d.xv, d.yv))
    for _ in range(240):
        rows = torch.randint(0, len(d.x), (32,))
        loss = F.cross_entropy(model(d.x[rows]), d.y[rows])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        schedule.step()
        seen.step(loss)
    return score_of(model, d.xt, d.yt)


@healthy("embedding_gru")
def tokens(watch: Watch) -> float:
    d = S.brackets()
    model = Recurrent("GRU", inputs=8, hidden=24, outputs=2, tokens=6)
    by_steps(watch, model, Adam(model.parameters(), lr=0.01), F.cross_entropy, d, steps=400)
    return score_of(model, d.xt, d.yt)
