"""Values of a column that stand for a class: many rows hold exactly the same one, and all of them are of one class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dressage.subject.features import Array

HELD = 0.05  # share of the rows that hold a value, from which it is looked at
END = 0.1  # share of the rows at each end of a mean of classes
OFTEN, OFTENER = 0.01, 0.03  # share that holds a value, from which it is looked at: pure ones, and mixed ones
GAP = 0.12  # from 0 and 1, within which no share of a mean over few rows lies
MANY = 0.2  # share of the rows that hold one value
COVERED = 0.75  # share of the rows that such values tell, and half of that of each class's


def told_by_values(x: Array, y: NDArray[np.generic], classes: int) -> tuple[int, NDArray[np.bool_]] | None:
    """The column most of whose rows hold one of a few values that only rows of one class hold, and which rows these are.

    A statistic of the targets that each row's own target went into looks so: where few rows share a key, it says the class.
    """
    best: tuple[int, NDArray[np.bool_]] | None = None
    for column in range(x.shape[1]):
        rows = _told(x[:, column], y, classes)
        rows = _of_few(x[:, column], y) if rows is None and classes == 2 else rows
        if rows is not None and (best is None or rows.sum() > best[1].sum()):
            best = (column, rows)
    return best


def has_pure_value(values: Array, y: NDArray[np.generic]) -> bool:
    """Whether one value of a column is held by many rows of one class of two or more, and by none of another.

    So it is with a count that is 0 until what is to be told has happened.
    """
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
        return False
    kinds, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    often = np.flatnonzero(counts >= MANY * len(values))
    return len(kinds) > 1 and any(len(np.unique(y[codes.reshape(-1) == k])) == 1 for k in often)


def _told(values: Array, y: NDArray[np.generic], classes: int) -> NDArray[np.bool_] | None:
    kinds, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    often = counts >= HELD * len(values)
    if not classes <= often.sum() <= len(counts) or counts[often].sum() < COVERED * len(values) or len(kinds) < 2:
        return None
    table = np.zeros((len(kinds), classes), np.int64)
    np.add.at(table, (codes.reshape(-1), y.astype(np.int64)), 1)
    pure = often & (table.max(1) == counts)
    of_class = table[pure].sum(0) / np.maximum(table.sum(0), 1)
    if not classes <= pure.sum() <= classes + 1 or counts[pure].sum() < COVERED * len(values):
        return None
    return None if of_class.min() < COVERED / 2 else np.asarray(pure[codes.reshape(-1)])


def _of_few(values: Array, y: NDArray[np.generic]) -> NDArray[np.bool_] | None:
    """Rows of values that stand for a class, if the column is a mean over the few rows of a key, with each row's own class in it.

    Of k ones among m rows the share is k/m: exactly 0 at one end and exactly 1 at the other, however the mean is smoothed, and
    between them nothing near to either. A measured value that speaks of the class comes near to them by degrees.
    """
    kinds, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    codes, rows = codes.reshape(-1), len(values)
    shares = np.bincount(codes, y.astype(np.float64)) / counts
    none, all_ = (part & (counts >= OFTEN * rows) for part in (shares == 0, shares == 1))
    some = (shares > 0) & (shares < 1) & (counts >= OFTENER * rows)
    if min(counts[none].sum(), counts[all_].sum()) < END * rows or some.sum() < 2:
        return None
    if counts[some].sum() < HELD * rows or shares[some].min() < GAP or shares[some].max() > 1 - GAP:
        return None
    ordered = [kinds[part] for part in (none, some, all_)]
    ordered = ordered if ordered[0][0] < ordered[1][0] else ordered[::-1]
    if not (ordered[0].max() < ordered[1].min() and ordered[1].max() < ordered[2].min()):
        return None
    return np.asarray((none | all_)[codes])
