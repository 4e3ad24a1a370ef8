"""Faults in the labels: pairs torn apart, wrong labels, classes too rare."""

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
from ..loops import Watch, by_dataset, by_full, by_loader, by_slices, by_steps
from ..nets import ConvNet, Recurrent, Transformer, accuracy, balanced, mlp, score_of, small_resnet

MISMATCH = "https://github.com/NoahVl/Explaining-In-Style-Reproducibility-Study/issues/9"
TORN = "data.label_noise eval.overfit eval.underfit"


def torn(y: Tensor, seed: int = 0) -> Tensor:
    """The labels in another order than the rows."""
    return y[torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))]


@case("data.shuffled_labels", "digits_images_shuffled_alone", also=TORN, source=MISMATCH)
def images_alone(watch: Watch, fault: bool) -> float:
    """The images were shuffled, the labels were not."""
    d = D.digits()
    if fault:
        d = d._replace(y=torn(d.y), yv=torn(d.yv))
    model = mlp(64, 128, 10)
    by_loader(watch, model, Adam(model.parameters(), lr=3e-3), nn.CrossEntropyLoss(), d, epochs=15)
    return score_of(model, d.xt, d.yt)


@case("data.shuffled_labels", "breast_cancer_two_files", also=TORN)
def two_files(watch: Watch, fault: bool) -> float:
    """Two files joined by their row number, one of them sorted."""
    d = D.table("breast_cancer")
    if fault:
        d = d._replace(y=torn(d.y, 1), yv=torn(d.yv, 2))
    net = nn.Sequential(nn.Linear(30, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 2))
    by_slices(
        watch,
        net,
        SGD(net.parameters(), lr=0.05, momentum=0.9),
        F.cross_entropy,
        d,
        epochs=20,
        batch=32,
        score=accuracy,
    )
    return score_of(net, d.xt, d.yt)


@case("data.shuffled_labels", "waves_off_by_one", also=TORN)
def off_by_one(watch: Watch, fault: bool) -> float:
    """Each sequence carries the label of the one before it."""
    d = S.waves()
    if fault:
        d = d._replace(y=d.y.roll(1), yv=d.yv.roll(1))
    model = Recurrent("GRU", hidden=16)
    by_loader(watch, model, Adam(model.parameters(), lr=0.01), F.cross_entropy, d, epochs=8)
    return score_of(model, d.xt, d.yt)


@case("data.shuffled_labels", "fashion_batches_torn", also=TORN)
def batches_torn(watch: Watch, fault: bool) -> float:
    """Rows of a batch are drawn twice: once for the images and once for the labels."""
    d = D.scaled(D.images("fashion", 1500))
    model = ConvNet(28, width=6)
    opt = Adam(model.parameters(), lr=3e-3)
    seen = watch(model, opt, F.cross_entropy, train=(d.x, d.y), val=(d.xv, d.yv), metric=accuracy)
    for step in range(200):
        rows = torch.randint(0, len(d.x), (32,))
        x, y = d.x[rows], d.y[torch.randint(0, len(d.x), (32,)) if fault else rows]
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        seen.step(loss)
        if step % 50 == 49:
            with torch.no_grad():
                z = model(d.xv)
            seen.validated(loss=F.cross_entropy(z, d.yv).item(), metric=accuracy(z, d.yv))
    return score_of(model, d.xt, d.yt)


def flipped(y: Tensor, share: float, classes: int, seed: int = 0) -> Tensor:
    """A share of the labels replaced by another class."""
    draw = torch.Generator().manual_seed(seed)
    wrong = torch.rand(len(y), generator=draw) < share
    return torch.where(wrong, (y + torch.randint(1, classes, (len(y),), generator=draw)) % classes, y)


@case("data.label_noise", "digits_40", also="eval.overfit", share=0.4)
@case("data.label_noise", "digits_30", also="eval.overfit", share=0.3)
def noisy_digits(watch: Watch, fault: bool, share: float) -> float:
    d = D.digits()
    if fault:
        d = d._replace(y=flipped(d.y, share, 10), yv=flipped(d.yv, share, 10, 1))
    model = mlp(64, 256, 10)
    by_loader(watch, model, Adam(model.parameters(), lr=3e-3), nn.CrossEntropyLoss(), d, epochs=25)
    return score_of(model, d.xt, d.yt)


@case("data.label_noise", "breast_cancer_30", also="eval.overfit")
def noisy_cancer(watch: Watch, fault: bool) -> float:
    d = D.table("breast_cancer")
    if fault:
        d = d._replace(y=flipped(d.y, 0.3, 2), yv=flipped(d.yv, 0.3, 2, 1))
    model = mlp(30, 64, 64, 2)
    by_slices(watch, model, Adam(model.parameters(), lr=3e-3), F.cross_entropy, d, epochs=40, batch=32, score=accuracy)
    return score_of(model, d.xt, d.yt)


@case("data.label_noise", "mnist_conv_35", also="eval.overfit")
def noisy_mnist(watch: Watch, fault: bool) -> float:
    d = D.scaled(D.images("mnist", 1200))
    if fault:
        d = d._replace(y=flipped(d.y, 0.35, 10), yv=flipped(d.yv, 0.35, 10, 1))
    model = ConvNet(28, width=8)
    by_dataset(watch, model, AdamW(model.parameters(), lr=4e-3), nn.CrossEntropyLoss(), d, epochs=16, batch=32)
    return score_of(model, d.xt, d.yt)


RARE = "eval.underfit"
IMBALANCE = "https://github.com/abhuse/polyloss-pytorch/issues/5"


@case("data.class_imbalance", "table_one_in_fifty", also=RARE, source=IMBALANCE)
def rare(watch: Watch, fault: bool) -> float:
    d = D.classes(3000, 20, 2, sep=1.1, weights=(0.98,), flip_y=0.0, seed=3)
    weight = None if fault else torch.tensor([1.0, 40.0])
    model = mlp(20, 16, 2)
    opt = SGD(model.parameters(), lr=0.02, momentum=0.5, weight_decay=1e-3)
    by_loader(watch, model, opt, nn.CrossEntropyLoss(weight=weight), d, epochs=6, batch=64)
    return score_of(model, d.xt, d.yt, balanced)


@case("data.class_imbalance", "digits_eight_against_rest", also=RARE)
def eight(watch: Watch, fault: bool) -> float:
    """One in sixty is an 8; the twin draws both classes alike."""
    d = D.digits()
    parts = []
    for x, y in ((d.x, d.y), (d.xv, d.yv), (d.xt, d.yt)):
        is_eight = (y == 8).nonzero().flatten()
        few = is_eight if x is d.xt else is_eight[: max(3, len(is_eight) // 6)]
        rows = torch.cat([(y != 8).nonzero().flatten(), few])
        parts += [x[rows], (y[rows] == 8).float()]
    d = D.Split(*parts)
    model = mlp(64, 16, 1)
    opt = SGD(model.parameters(), lr=0.05)
    bce = nn.BCEWithLogitsLoss()
    share = 1 / torch.where(d.y > 0, d.y.sum(), (1 - d.y).sum())
    sampler = torch.utils.data.WeightedRandomSampler(share.tolist(), len(d.x))
    data = TensorDataset(d.x, d.y)
    loader = DataLoader(data, 32, shuffle=True) if fault else DataLoader(data, 32, sampler=sampler)
    seen = watch(model, opt, bce, train=loader, val=(d.xv, d.yv))
    for _ in range(12):
        for x, y in loader:
            loss = bce(model(x).squeeze(1), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
            seen.step(loss)
    return score_of(model, d.xt, d.yt, balanced)


@case("data.class_imbalance", "events_in_a_signal", also=RARE, source=IMBALANCE)
def rare_events(watch: Watch, fault: bool) -> float:
    d = S.events()
    weight = None if fault else torch.tensor([1.0, 30.0])
    model = nn.Sequential(nn.Flatten(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 2))
    opt = SGD(model.parameters(), lr=0.02, momentum=0.5)
    by_slices(watch, model, opt, nn.CrossEntropyLoss(weight), d, epochs=12, batch=64, score=accuracy)
    return score_of(model, d.xt, d.yt, balanced)


@case("data.class_imbalance", "three_classes_two_rare", also=RARE)
def two_rare(watch: Watch, fault: bool) -> float:
    d = D.classes(2400, 16, 3, sep=0.9, weights=(0.96, 0.02, 0.02), flip_y=0.0, seed=5)
    weight = None if fault else torch.tensor([0.35, 16.0, 16.0])
    model = mlp(16, 32, 3)
    by_full(watch, model, Adam(model.parameters(), lr=3e-3), lambda z, y: F.cross_entropy(z, y, weight), d, steps=120)
    return score_of(model, d.xt, d.yt, balanced)


@case("data.label_noise", "tokens_35", also="eval.overfit")
def noisy_tokens(watch: Watch, fault: bool) -> float:
    d = S.brackets(900)
    if fault:
        d = d._replace(y=flipped(d.y, 0.35, 2), yv=flipped(d.yv, 0.35, 2, 1))
    model = Transformer(tokens=6, classes=2, width=32)
    by_loader(watch, model, Adam(model.parameters(), lr=3e-3), nn.CrossEntropyLoss(), d, epochs=10)
    return score_of(model, d.xt, d.yt)


@case("data.shuffled_labels", "mnist_sorted_files", also=TORN, source=MISMATCH)
def sorted_files(watch: Watch, fault: bool) -> float:
    """File names sorted as text (1, 10, 100, 2, ...), labels by number."""
    d = D.scaled(D.images("mnist", 1200))
    if fault:
        by_name = torch.tensor(np.argsort([str(i) for i in range(len(d.x))]))
        d = d._replace(x=d.x[by_name], xv=d.xv[torch.tensor(np.argsort([str(i) for i in range(len(d.xv))]))])
    model = small_resnet(width=6)
    by_steps(watch, model, SGD(model.parameters(), lr=0.05, momentum=0.9), F.cross_entropy, d, steps=120)
    return score_of(model, d.xt, d.yt)
