"""Rows that hang together: takes of one person, frames of one film, copies with noise. Found from the inputs alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dressage.subject.features import Array, flat_of, is_tokens, reader_of

LEAST = 20
"""Groups below which they may as well be the clusters of a law."""
SHARED = 2.5
"""Rows a group, on average, from which rows are said to hang together."""
HUGE = 0.25
"""Share of the rows above which a group is what a fill-in value or a state of rest makes."""
GAP = 1.44
"""Times by which the way to another group exceeds that to the next row of the own one."""
EMPTY = 0.1
"""Share of the ways between groups that may lie in the gap: ways between rows without groups have no gap but in their tail."""
STATIC = 2
"""Columns that repeat in the same rows, so that they tell of what stays the same."""
LEVELS = 12
"""Values of a column up to which it is a kind and no measure."""
LOOKED_AT = 500
"""Rows, and pixels of a picture, from which that is told."""
MEASURES = 3
"""Columns of many values that are needed: in fewer, rows lie close by chance."""
STEPS, STEEP = 3, 0.7
"""Jumps between the middles of groups that make up this share of a column's span where they lie on a lattice."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Which rows hang together."""

    of: NDArray[np.int64]
    """`(N,)` number of the group of each row."""
    why: str
    """What they have in common, in words."""

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.of.max()) + 1


def groups_across(x: Tensor, other: Tensor) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Groups of the rows of two splits, numbered alike; None where those of the first do not hang together."""
    if x.shape[1:] != other.shape[1:] or groups_of(x) is None:
        return None
    both = groups_of(torch.cat([x.cpu(), other.to(x.dtype).cpu()]))
    return None if both is None else (both.of[: len(x)], both.of[len(x) :])


def groups_of(x: Tensor) -> Groups | None:
    """Groups of rows `x (N, ...)`: those that share the values of some columns, else those that lie in tight clusters.

    A cluster is tight where single linkage has a gap: no two rows have a distance between that within groups and that
    between them. None where rows stand alone, repeat each other exactly, or lie on a lattice of few values a column.
    """
    if is_tokens(x) or len(x) < 2 * LEAST or x[0].numel() < MEASURES:
        return None
    flat = flat_of(x)
    measures = _measures(flat if x.ndim == 2 else flat[:, _some(flat.shape[1])])
    if len(measures) < MEASURES:
        return None
    return (_static(flat[:, measures]) if x.ndim == 2 else None) or _tight(x, flat, measures)


def _measures(flat: Array) -> NDArray[np.int64]:
    """Columns of more than a few values, among rows from everywhere: files may be sorted."""
    some = np.sort(flat[:: -(-len(flat) // LOOKED_AT)], axis=0)
    return np.flatnonzero((some[1:] != some[:-1]).sum(0) >= LEVELS).astype(np.int64)


def _some(columns: int) -> NDArray[np.int64]:
    """Pixels of pictures enough to tell whether they are measures; those of tables are asked one by one."""
    return np.random.default_rng(0).permutation(columns)[:LOOKED_AT].astype(np.int64)


def _static(flat: Array) -> Groups | None:
    """Columns that cut the rows into the same parts; None if others cut them otherwise, as users and items do."""
    parts: dict[bytes, list[int]] = {}
    kept: dict[bytes, NDArray[np.int64]] = {}
    for column in range(flat.shape[1]):
        _, first, inverse = np.unique(flat[:, column], return_index=True, return_inverse=True)
        if not _are_groups(inverse.reshape(-1)):
            continue
        order = np.argsort(np.argsort(first, kind="stable"), kind="stable")
        numbers = order[inverse.reshape(-1)].astype(np.int64)
        key = numbers.tobytes()
        parts.setdefault(key, []).append(column)
        kept[key] = numbers
    told = [key for key, columns in parts.items() if len(columns) >= STATIC]
    if len(told) != 1:
        return None
    return Groups(kept[told[0]], f"share the values of {len(parts[told[0]])} columns")


def _tight(x: Tensor, flat: Array, measures: NDArray[np.int64]) -> Groups | None:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    values = reader_of(x[:, measures])(x[:, measures]) if x.ndim == 2 else reader_of(x)(x)
    codes = np.unique(flat, axis=0, return_inverse=True)[1].reshape(-1)
    first = np.unique(codes, return_index=True)[1]
    if len(first) < 2 * LEAST:
        return None
    points = values[first].astype(np.float64)
    squared = np.square(points).sum(1)
    ways = np.sqrt(np.maximum(squared[:, None] + squared - 2 * points @ points.T, 0))
    np.fill_diagonal(ways, 0)
    tree = linkage(squareform(ways, checks=False), "single")
    at = _gap(tree[:, 2])
    if at is None:
        return None
    own = np.unique(fcluster(tree, at, "distance"), return_inverse=True)[1].reshape(-1)
    count = int(own.max()) + 1
    if not _are_groups(own) or _is_lattice(points, own, count):
        return None
    return Groups(own[codes].astype(np.int64), "lie in clusters far tighter than their distance from each other")


def _are_groups(own: NDArray[np.int64]) -> bool:
    """Whether the parts are many, of several rows as a rule, and none is huge."""
    sizes = np.bincount(own)
    if len(sizes) < LEAST or len(own) < SHARED * len(sizes):
        return False
    return bool(np.median(sizes) >= 2 and sizes.max() <= HUGE * len(own))


def _gap(ways: NDArray[np.float64]) -> float | None:
    """A distance without others about it, with groups enough above it; None where distances go over into one another."""
    ways = np.sort(ways)
    rows = len(ways) + 1
    above = np.arange(len(ways), 0, -1)  # groups − 1, if cut below each
    low = np.maximum(ways, 1e-6 * max(float(ways[-1]), 1e-30))
    best: tuple[float, float] | None = None
    for i in np.flatnonzero((above >= LEAST - 1) & (rows >= SHARED * (above + 1))):
        if i == 0:
            continue
        at = float(np.sqrt(low[i - 1] * low[i]))
        inside = np.searchsorted(low, at * GAP**0.5) - np.searchsorted(low, at / GAP**0.5)
        wide = float(low[i] / low[i - 1])
        if inside <= EMPTY * above[i] and (best is None or wide > best[0]):
            best = (wide, at)
    return None if best is None else best[1]


def _is_lattice(values: NDArray[np.float64], own: NDArray[np.int64], count: int) -> bool:
    """Whether the middles of the groups take few values a column, as those of noisy bits do: then they are a law's cells."""
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, own, values)
    middles = np.sort(sums / np.bincount(own, minlength=count)[:, None], axis=0)
    jumps = np.sort(np.diff(middles, axis=0), axis=0)
    span = np.maximum(middles[-1] - middles[0], 1e-12)
    return bool((jumps[-STEPS:].sum(0) / span > STEEP).mean() > 0.5)
