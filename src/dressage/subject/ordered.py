"""Whether whole numbers are values, as ratings and counts are, or only name classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dressage.subject.features import Array, nearest, reader_of
from dressage.subject.rows import Rows, spread
from dressage.subject.untouched import generators_kept

ROWS, TURNS, NEIGHBOURS = 1000, 19, 10
"""Rows that are looked at, other numberings of the classes that are tried, and neighbours."""
TELLS = 0.1
"""R² below which a numbering is not explained."""
RIDGE = 1.0
MOVED = (0.0, 0.2, -0.2)


def are_values(rows: Rows, loss_fn: object, metric: object = None) -> bool:
    """Whether a loss of distances is given whole numbers that mean sizes: then R² judges, and not accuracy.

    A metric that was given tells: whether it is one of distances too, unless the numbers have no order. Else they do where
    the inputs explain their order; where that cannot be told, where they begin above 0, as ratings do and classes seldom.
    `rows.y`: one number a row.
    """
    y = rows.y.detach()
    if y[0].numel() != 1 or y.is_complex() or not _is_distance(loss_fn, y):
        return False
    if callable(metric) and not _is_distance(metric, y, whichever=True):
        return False
    order = has_order(rows)
    return order if order is not None else callable(metric) or float(y.min()) > 0


def has_order(rows: Rows) -> bool | None:
    """Whether whole numbers are explained better than the same classes in another order; None where no order is explained.

    R² of the number by the mean of 10 neighbours or by a ridge regression, each row left out, for the numbering as it is
    and for 19 others: an order is one that beats them all, and of which their median explains less than half.
    """
    chosen = spread(len(rows), ROWS)
    kinds, numbers = torch.unique(rows.y[chosen].reshape(len(chosen)), return_inverse=True)
    if len(kinds) < 3 or len(chosen) < 5 * NEIGHBOURS or rows.x.is_complex():
        return None
    draw = np.random.default_rng(0)
    others = [draw.permutation(len(kinds)) for _ in range(TURNS)]
    straight = np.arange(len(kinds))
    others = [turn for turn in others if not (np.array_equal(turn, straight) or np.array_equal(turn[::-1], straight))]
    sizes = kinds.double().cpu().numpy()
    y = np.stack([sizes[turn][numbers.cpu().numpy()] for turn in (straight, *others)], 1)
    x = reader_of(rows.x[chosen])(rows.x[chosen])
    first, *rest = np.maximum(_explained(_by_neighbours(x, y), y), _explained(_by_ridge(x, y), y))
    if first > max(TELLS, *rest) and np.median(rest) < 0.5 * first:
        return True
    return False if max(first, *rest) > 2 * TELLS else None


def _by_neighbours(x: Array, y: NDArray[np.float64]) -> NDArray[np.float64]:
    _, near = nearest(x, x, NEIGHBOURS, same=True)
    return np.asarray(y[near].mean(1))


def _by_ridge(x: Array, y: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the other rows give for each: `(ŷ − h y) / (1 − h)` with the leverage h of the row."""
    wide = np.concatenate([np.ones((len(x), 1)), x.astype(np.float64)], 1)
    inverse = np.linalg.solve(wide.T @ wide + RIDGE * np.eye(wide.shape[1]), wide.T)
    own = np.minimum((wide * inverse.T).sum(1), 0.99)[:, None]
    return np.asarray((wide @ (inverse @ y) - own * y) / (1 - own))


def _explained(said: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 - np.square(said - y).sum(0) / np.maximum(np.square(y - y.mean(0)).sum(0), 1e-30))


def _is_distance(function: object, y: Tensor, *, whichever: bool = False) -> bool:
    """Whether outputs that lie beside the targets cost more than the targets do; `whichever`: are worse, as of a metric."""
    if not callable(function):
        return False
    called: Callable[[Tensor, Tensor], object] = function
    some = y[spread(len(y), 256)].float()
    for shape in (some.shape, (len(some),), (len(some), 1)):
        try:
            with torch.no_grad(), generators_kept():
                at, *beside = (float(called((some + d).reshape(shape), some)) for d in MOVED)  # type: ignore[arg-type]
        except Exception:  # a loss of another kind
            continue
        if all(b > at for b in beside) or (whichever and all(b < at for b in beside)):
            return True
    return False
