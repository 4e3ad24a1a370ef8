"""Losses under which no output stands for a class: labels are only compared with one another, or the loss holds the classes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from dressage.preflight.loss_form import close, value
from dressage.subject import Subject
from dressage.subject.rows import spread

ROWS, WIDTH = 64, 16
"""Targets on which a loss is tried, and numbers a row that stand for an embedding."""
SAID = "the loss compares rows with one another, so that outputs were not judged as answers to the targets"


def without_classes(subject: Subject) -> Subject:
    """The subject, with no task to judge outputs by where its loss asks for embeddings: distances of pairs, triplets, margins."""
    if subject.task not in ("classification", "binary") or subject.train is None or subject.loss_fn is None:
        return subject
    if not (_holds_classes(subject.loss_fn) or compares_rows(subject.loss_fn, _some(subject.train.y))):
        return subject
    return replace(subject, task=None, classes=0, metric=None, notes=[*subject.notes, SAID])


def _some(y: Tensor) -> Tensor:
    """Targets from all over: the first ones of rows in the order of their classes are all alike."""
    return y[spread(len(y), ROWS)]


def compares_rows(loss_fn: object, y: Tensor) -> bool:
    """Whether classes may be given other numbers and each cost stays: it is asked only which rows are of one class.

    ℓ(Z, π(y)) = ℓ(Z, y) for turns π of the class numbers, and ℓ differs between outputs. `y`: `(N,)` class numbers.
    """
    if not callable(loss_fn) or y.ndim != 1 or not bool((y == y.round()).all()):
        return False
    kinds, numbers = torch.unique(y, return_inverse=True)
    if len(kinds) < 2:
        return False
    draw = torch.Generator().manual_seed(0)
    wide = max(WIDTH, len(kinds), int(kinds[-1]) + 1)
    costs = []
    for size in (1.0, 0.3):
        z = size * torch.randn((len(y), wide), generator=draw).to(y.device)
        cost = value(loss_fn, z, y)
        turned = [value(loss_fn, z, kinds[(numbers + k) % len(kinds)]) for k in range(1, min(4, len(kinds)))]
        if not all(close(cost, other) for other in turned):
            return False
        costs.append(cost)
    return not close(*costs)


def _holds_classes(loss_fn: object) -> bool:
    """Whether the loss has a matrix of its own, to which outputs are compared: a row for each class."""
    return isinstance(loss_fn, nn.Module) and any(p.ndim > 1 for p in loss_fn.parameters())
