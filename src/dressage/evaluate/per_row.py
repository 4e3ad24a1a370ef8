"""What each row adds to the score and to the loss of some answers, so that two sets of answers can be held against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from dressage.data.several import columns_of
from dressage.data.source import Head, spans

SMALLEST = 1e-12  # a class that was called impossible costs 27.6 nats


def scores(answers: Tensor, y: Tensor, heads: Sequence[Head]) -> Tensor:
    """`(N,)`: their mean is the accuracy, the R² of these rows, or the mean of those of several targets.

    Of a class 1 where it is right, else 0; of a number 1 − (z − y)²/var(y). `answers (N, Σ C)`, `y (N, T)`.
    """
    return _over_targets(answers, y, heads, lambda p, t: (p.argmax(1) == t).double(), lambda z, t: 1 - _squares(z, t))


def losses(answers: Tensor, y: Tensor, heads: Sequence[Head]) -> Tensor:
    """`(N,)`: −log of the true class's probability, (z − y)²/var(y) of a number; the mean over several targets."""

    def nats(p: Tensor, t: Tensor) -> Tensor:
        return -p.gather(1, t[:, None])[:, 0].clamp_min(SMALLEST).log()

    return _over_targets(answers, y, heads, nats, _squares)


def _squares(z: Tensor, y: Tensor) -> Tensor:
    """A target that is the same in all rows is measured in its own units."""
    spread = y.double().var(correction=0) if len(y) else torch.ones(())
    return (z - y.double()).square() / (spread if spread > 0 else 1.0)


def _over_targets(
    answers: Tensor,
    y: Tensor,
    heads: Sequence[Head],
    classes: Callable[[Tensor, Tensor], Tensor],
    numbers: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    each = [
        classes(answers[:, own], column) if head.classes else numbers(answers[:, own][:, 0], column)
        for head, own, column in zip(heads, spans(heads), columns_of(y, heads), strict=True)
    ]
    return torch.stack(each).mean(0)
