"""Values of a column that stand for a class: many rows hold exactly the same one, and all of them are of one class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dressage.subject.features import Array

HELD = 0.05  # share of the rows that hold a value, from which it is looked at
END, BETWEEN = 0.1, 0.02  # share of the rows at each end of a mean of classes, and at a value between
COVERED = 0.75  # share of the rows that such values tell, and half of that of each class's


def told_by_values(x: Array, y: NDArray[np.generic], classes: int) -> tuple[int, NDArray[np.bool_]] | None:
    """The column most of whose rows hold one of a few values that only rows of one class hold, and which rows these are.

    A statistic of the targets that each row's own target went into looks so: where few rows share a key, it says the class.
    """
    best: tuple[int, NDArray[np.bool_]] | None = None
    for column in range(x.shape[1]):
        rows = _told(x[:, column], y, classes)
        rows = _calibrated(x[:, column], y) if rows is None and classes == 2 else rows
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


def _calibrated(values: Array, y: NDArray[np.generic]) -> NDArray[np.bool_] | None:
    """Rows of the two outermost values, if the column is a mean of classes that each row's own class went into.

    p(v) = (v − low)/(high − low) at every value that many rows hold: exactly 0 and 1 at the ends, within 3 standard errors between.
    """
    kinds, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    codes = codes.reshape(-1)
    if len(kinds) < 3 or min(counts[0], counts[-1]) < END * len(values):
        return None
    shares = np.bincount(codes, y.astype(np.float64)) / counts
    place = (kinds.astype(np.float64) - kinds[0]) / (kinds[-1] - kinds[0])
    if shares[0] > shares[-1]:
        shares = 1 - shares
    between = (counts >= BETWEEN * len(values)) & (place > 0) & (place < 1)
    error = np.sqrt(place * (1 - place) / counts)
    if shares[0] != 0 or shares[-1] != 1 or between.sum() < 2 or counts[between].sum() < HELD * len(values):
        return None
    if not bool((np.abs(shares - place)[between] <= 3 * error[between]).all()):
        return None
    return np.asarray((codes == 0) | (codes == len(kinds) - 1))
