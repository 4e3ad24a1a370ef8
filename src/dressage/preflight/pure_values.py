"""Values of a column that stand for a class: many rows hold exactly the same one, and all of them are of one class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dressage.subject.features import Array

HELD = 0.05  # share of the rows that hold a value, from which it is looked at
COVERED = 0.75  # share of the rows that such values tell, and half of that of each class's


def told_by_values(x: Array, y: NDArray[np.generic], classes: int) -> tuple[int, NDArray[np.bool_]] | None:
    """The column most of whose rows hold one of a few values that only rows of one class hold, and which rows these are.

    A statistic of the targets that each row's own target went into looks so: where few rows share a key, it says the class.
    """
    best: tuple[int, NDArray[np.bool_]] | None = None
    for column in range(x.shape[1]):
        rows = _told(x[:, column], y, classes)
        if rows is not None and (best is None or rows.sum() > best[1].sum()):
            best = (column, rows)
    return best


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
