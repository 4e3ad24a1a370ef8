"""Deals whole groups of rows to parts, with the classes kept in proportion, and finds those that two parts share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
DEALT_ONE_BY_ONE = 20_000  # beyond so many groups, the law of large numbers keeps the classes in proportion


def deal_groups(group: Ints, classes: Ints, shares: Sequence[float]) -> Ints | None:
    """The part `(N,)` of each row, all rows of a group in one part; None with fewer groups than parts.

    Rows come in keyed order, which breaks ties. Every class first gets a group in part 0; then, largest first, each
    group goes where it leaves the class counts nearest to their shares.
    """
    _, first, codes, sizes = np.unique(group, return_index=True, return_inverse=True, return_counts=True)
    if len(sizes) < len(shares):
        return None
    classes = np.unique(classes, return_inverse=True)[1]
    counts = np.zeros((len(sizes), classes.max() + 1), np.int64) if len(sizes) <= DEALT_ONE_BY_ONE else sizes[:, None]
    if len(sizes) <= DEALT_ONE_BY_ONE:
        np.add.at(counts, (codes, classes), 1)
    part = np.full(len(sizes), -1)
    seeds = _seeds(counts, first, len(sizes) - len(shares) + 1)
    part[seeds] = 0
    order = np.lexsort((first, -sizes))
    _fill(part, order[part[order] < 0], counts, np.asarray(shares))
    _no_part_empty(part, sizes, seeds, len(shares))
    return part[codes]


def shared_groups(group: Ints, one: Ints, other: Ints) -> list[tuple[int, int]]:
    """For each group with rows in both parts, `one` and `other`, its first row in each."""
    _, first, second = np.intersect1d(group[one], group[other], return_indices=True)
    return list(zip(one[first].tolist(), other[second].tolist(), strict=True))


def _seeds(counts: Ints, first: Ints, most: int) -> list[int]:
    """One group for each class, rarest class first, so that no class is absent from training."""
    chosen: list[int] = []
    seen = np.zeros(counts.shape[1], bool)
    for c in np.argsort((counts > 0).sum(0), kind="stable"):
        if not seen[c] and len(chosen) < most:
            having = np.flatnonzero(counts[:, c])
            chosen.append(int(having[np.argmin(first[having])]))
            seen |= counts[chosen[-1]] > 0
    return chosen


def _fill(part: Ints, order: Ints, counts: Ints, shares: NDArray[np.float64]) -> None:
    """Each group in turn goes to the part whose lack, summed over the group's rows by class, is largest."""
    total = counts.sum(0)
    lacking = shares[:, None] * total[None, :]
    for g in np.flatnonzero(part == 0):
        lacking[0] -= counts[g]
    weight = 1 / (shares[:, None] * np.maximum(total, 1)[None, :])
    for g in order:
        best = int(np.argmax((lacking * weight) @ counts[g]))
        part[g] = best
        lacking[best] -= counts[g]


def _no_part_empty(part: Ints, sizes: Ints, seeds: Sequence[int], parts: int) -> None:
    """Moves the smallest group that is no seed and not alone in its part."""
    free = np.ones(len(part), bool)
    free[list(seeds)] = False
    for p in range(parts):
        if not (part == p).any():
            held = np.bincount(part, minlength=parts)
            donors = np.flatnonzero((held[part] > 1) & free)
            part[donors[np.argmin(sizes[donors])]] = p
