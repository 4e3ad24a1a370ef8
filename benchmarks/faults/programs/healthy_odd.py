"""Healthy programs with odd losses, targets and layers."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW
from torch.utils.data import DataLoader, TensorDataset

from .. import data as D
from ..case import healthy
from ..loops import Watch, by_loader, by_slices, shuffled
from ..nets import ConvNet, accuracy, balanced, mlp, r2, score_of, side, small_resnet


@healthy("pixels_divided_in_the_loop")
def in_the_loop(watch: Watch) -> float:
    """The loader gives 0 to 255; the loop divides."""
    d = D.images("mnist", 1500)
    model = ConvNet(28, width=6)
    opt = Adam(model.parameters(), lr=5e-3)
    criterion = nn.CrossEntropyLoss()
    loader = DataLoader(TensorDataset(d.x, d.y), 32, shuffle=True)
    seen = watch(model, opt, criterion, train=loader, val=DataLoader(TensorDataset(d.xv, d.yv), 100), metric=accuracy)
    for _ in range(8):
        model.train()
        for images, target in loader:
            images = images / 255.0
            opt.zero_grad()
            loss = criterion(model(images), target)
            loss.backward()
            opt.step()
            seen.step(loss)
        model.eval()
        with torch.no_grad():
            z = model(d.xv / 255.0)
        seen.validated(loss=criterion(z, d.yv).item(), metric=accuracy(z, d.yv))
    return score_of(model, d.xt / 255, d.yt)


@healthy("fashion_conv")
def fashion(watch: Watch) -> float:
    d = D.scaled(D.images("fashion", 1600))
    model = ConvNet(28, width=6)
    by_loader(watch, model, Adam(model.parameters(), lr=4e-3), nn.CrossEntropyLoss(), d, epochs=8, batch=32)
    return score_of(model, d.xt, d.yt)


@healthy("dropout_of_a_half")
def dropout(watch: Watch) -> float:
    """Validation is better than training, since dropout is off."""
    d = D.digits()
    model = mlp(64, 128, 128, 10, drop=0.5)
    by_loader(watch, model, Adam(model.parameters(), lr=3e-3), nn.CrossEntropyLoss(), d, epochs=14)
    return score_of(model, d.xt, d.yt)


@healthy("averaged_weights")
def averaged(watch: Watch) -> float:
    """Validation is of the moving average of the weights."""
    d = D.digits()
    model = mlp(64, 64, 10)
    average = copy.deepcopy(model)
    opt = SGD(model.parameters(), lr=0.1, momentum=0.9)
    seen = watch(model, opt, F.cross_entropy, train=(d.x, d.y), val=(d.xv, d.yv))
    for _ in range(10):
        for x, y in shuffled(d.x, d.y, 32):
            opt.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            with torch.no_grad():
                for kept, new in zip(average.parameters(), model.parameters(), strict=True):
                    kept.lerp_(new, 0.05)
            seen.step(loss)
        with torch.no_grad():
            z = average(d.xv)
        seen.validated(loss=F.cross_entropy(z, d.yv).item(), metric=accuracy(z, d.yv))
    return score_of(average, d.xt, d.yt)


@healthy("focal_loss")
def focal(watch: Watch) -> float:
    d = D.classes(1500, count=2, weights=(0.9,), sep=2.0, flip_y=0.0, seed=2)
    model = mlp(20, 32, 1)

    def loss_fn(z: Tensor, y: Tensor) -> Tensor:
        bce = F.binary_cross_entropy_with_logits(z[:, 0], y.float(), reduction="none")
        return ((1 - torch.exp(-bce)) ** 2 * bce).mean()

    by_slices(watch, model, Adam(model.parameters(), lr=0.01), loss_fn, d, epochs=12)
    return score_of(model, d.xt, d.yt, balanced)


@healthy("huber_loss")
def huber(watch: Watch) -> float:
    d = D.friedman()
    model = mlp(10, 64, 1)
    opt = Adam(model.parameters(), lr=5e-3)
    by_loader(watch, model, opt, lambda z, y: F.huber_loss(z, y.unsqueeze(1), delta=0.5), d, epochs=20, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@healthy("log_targets")
def log_targets(watch: Watch) -> float:
    d = D.law()
    d = d._replace(y=torch.log1p(d.y + 5), yv=torch.log1p(d.yv + 5), yt=torch.log1p(d.yt + 5))
    model = nn.Sequential(nn.Linear(3, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1), nn.Flatten(0))
    by_slices(watch, model, AdamW(model.parameters(), lr=0.02), nn.MSELoss(), d, epochs=35, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@healthy("autoencoder")
def autoencoder(watch: Watch) -> float:
    d = D.digits()
    d = D.Split(d.x, d.x, d.xv, d.xv, d.xt, d.xt)
    model = nn.Sequential(
        nn.Linear(64, 48),
        nn.ReLU(),
        nn.Linear(48, 24),
        nn.ReLU(),
        nn.Linear(24, 48),
        nn.ReLU(),
        nn.Linear(48, 64),
        nn.Sigmoid(),
    )
    by_loader(watch, model, Adam(model.parameters(), lr=5e-3), nn.MSELoss(), d, epochs=35, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@healthy("rare_labels")
def rare_labels(watch: Watch) -> float:
    """Labels that one row in ten has, with weights for them."""
    d = D.labels(2000, 12, 5)
    model = mlp(12, 64, 5)
    weight = (1 - d.y).sum(0) / d.y.sum(0)
    opt = Adam(model.parameters(), lr=5e-3)
    by_loader(watch, model, opt, nn.BCEWithLogitsLoss(pos_weight=weight), d, epochs=20, score=side)
    return score_of(model, d.xt, d.yt, side)


@healthy("stopped_early")
def stopped(watch: Watch) -> float:
    """Stops when the validation loss has not fallen for four epochs, and goes back to the best weights."""
    d = D.friedman(400, 1.5)
    model = mlp(10, 64, 64, 1)
    opt = Adam(model.parameters(), lr=3e-3)
    loss_fn = nn.MSELoss()
    seen = watch(model, opt, loss_fn, train=(d.x, d.y[:, None]), val=(d.xv, d.yv[:, None]))
    best, kept, waited = float("inf"), copy.deepcopy(model.state_dict()), 0
    for _ in range(60):
        for x, y in shuffled(d.x, d.y, 32):
            opt.zero_grad()
            loss = loss_fn(model(x), y[:, None])
            loss.backward()
            opt.step()
            seen.step(loss)
        with torch.no_grad():
            val = loss_fn(model(d.xv), d.yv[:, None]).item()
        seen.validated(loss=val)
        waited += 1
        if val < best:
            best, kept, waited = val, copy.deepcopy(model.state_dict()), 0
        if waited == 4:
            break
    model.load_state_dict(kept)
    return score_of(model, d.xt, d.yt, r2)


@healthy("norm_with_batches_of_eight")
def norm_eight(watch: Watch) -> float:
    d = D.digits(image=True)
    model = ConvNet(norm=True)
    by_loader(watch, model, SGD(model.parameters(), lr=0.02, momentum=0.9), nn.CrossEntropyLoss(), d, epochs=3, batch=8)
    return score_of(model, d.xt, d.yt)


@healthy("residual_branches_start_at_zero")
def zero_residual(watch: Watch) -> float:
    """The last norm of each block begins with weight 0: the block is the identity at first."""
    d = D.digits(image=True)
    model = small_resnet()
    for block in (model[3], model[5]):
        nn.init.zeros_(block.body[4].weight)
    by_loader(watch, model, SGD(model.parameters(), lr=0.1, momentum=0.9), nn.CrossEntropyLoss(), d, epochs=5)
    return score_of(model, d.xt, d.yt)
