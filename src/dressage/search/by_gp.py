"""Which of many even points a Gaussian process of the trials so far promises most: the fine part of a search, for less compute.

The process learns the order of all trials from their settings, each on its own scale, and from the stage that they were of; so
a good region may have any shape, where narrowed ranges are a box. Of four times as many points of Sobol's sequence those with
the highest mean are taken: they stay spread, where a search for the highest expected improvement was seen to put whole batches
into the noise of the best trial.
Rasmussen & Williams 2006, algorithm 2.1 and section 5.4.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from dressage.search.edits import Point
from dressage.search.importance import inputs
from dressage.search.ranges import Range
from dressage.search.space import Space

Floats = NDArray[np.float64]
FEWEST = 6
"""Trials with different scores, below which nothing is learned from them."""
MOST = 400
"""Trials that are learned from, the latest ones: the work grows with their cube."""
OF = 4
"""Times as many points of which the most promising are taken."""
LENGTHS = (3.2, 1.6, 0.8, 0.4, 0.2, 0.1)
"""Of a whole range, over which the order changes; one for each column is chosen, the longest of equals."""
NOISES = (0.01, 0.03, 0.1, 0.3)
"""Variances of what the settings do not explain, of a variance of 1 in all."""
SWEEPS = 2


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a trial: where it lay, in which stage, and its score; None where it has none."""

    point: Point
    stage: int
    score: float | None


def promising(spaces: Sequence[Space], seen: Sequence[Seen], candidates: Sequence[Point], n: int) -> list[Point]:
    """`n` of the candidates, which are points of the last of `spaces`, the most promising first; the first ones where there
    is too little to learn from.
    """
    seen, stage = seen[-MOST:], len(spaces) - 1
    if len({s.score for s in seen}) < FEWEST:
        return list(candidates[:n])
    whole = _hull(spaces)
    z = _normal_scores([s.score for s in seen])
    x = _columns(whole, [s.point for s in seen], [s.stage for s in seen])
    lengths, noise = _fitted(x, z)
    mean = _mean(x, z, _columns(whole, candidates, [stage] * len(candidates)), lengths, noise)
    return [candidates[i] for i in np.argsort(-mean.round(9), kind="stable")[:n]]


def _hull(spaces: Sequence[Space]) -> dict[str, Range]:
    """Each setting that is searched now, in the widest range that it ever had."""
    wide: dict[str, Range] = {}
    for path, range_ in spaces[-1].items():
        known = [space[path] for space in spaces if path in space]
        if range_.is_choice:
            wide[path] = max(known, key=lambda r: len(r.choices))
        else:
            wide[path] = range_.between(min(r.low for r in known), max(r.high for r in known))
    return wide


def _columns(whole: Mapping[str, Range], points: Sequence[Point], stages: Iterable[int]) -> Floats:
    """`(N, K + 1)`: the settings in [0, 1], and a third of the stage."""
    settings, _ = inputs(whole, points)
    return np.column_stack([settings, np.array(list(stages)) / 3])


def _normal_scores(scores: Sequence[float | None]) -> Floats:
    """`(N,)`: Φ⁻¹((rank + ½)/N), the standard normal quantile of each one's place; without a score the worst, equals their mean."""
    level = {score: i for i, score in enumerate(sorted({-math.inf if s is None else s for s in scores}))}
    which = np.array([level[-math.inf if s is None else s] for s in scores])
    quantile = NormalDist().inv_cdf
    z = np.array([quantile((i + 0.5) / len(scores)) for i in range(len(scores))])
    counts = np.bincount(which)
    means = np.bincount(np.sort(which), z) / counts
    out = means[which]
    return np.asarray((out - out.mean()) / out.std())


def _kernel(a: Floats, b: Floats, lengths: Floats) -> Floats:
    """`(A, B)`: Matérn 5/2, (1 + √5 d + 5/3 d²) e^(−√5 d), d the distance in lengths of each column."""
    d = np.sqrt(((a[:, None] - b[None]) ** 2 / lengths**2).sum(-1) * 5)
    return np.asarray((1 + d + d * d / 3) * np.exp(-d))


def _fitted(x: Floats, z: Floats) -> tuple[Floats, float]:
    """The lengths and the noise under which the order is most probable, one after the other over their grids."""
    lengths, noise = np.full(x.shape[1], 0.4), 0.1
    for _ in range(SWEEPS):
        for column in range(x.shape[1]):
            tries = [np.where(np.arange(len(lengths)) == column, length, lengths) for length in LENGTHS]
            lengths = max(tries, key=lambda own: _evidence(x, z, own, noise))
        noise = max(NOISES, key=lambda own: _evidence(x, z, lengths, own))
    return lengths, noise


def _evidence(x: Floats, z: Floats, lengths: Floats, noise: float) -> float:
    """log p(z | x) but for a constant: −½ zᵀ K⁻¹ z − ½ log |K|."""
    root = np.linalg.cholesky((1 - noise) * _kernel(x, x, lengths) + noise * np.eye(len(x)))
    half = np.linalg.solve(root, z)
    return float(-0.5 * half @ half - np.log(root.diagonal()).sum())


def _mean(x: Floats, z: Floats, at: Floats, lengths: Floats, noise: float) -> Floats:
    """`(M,)` K(at, x) K(x, x)⁻¹ z: what is to be expected at each row of `at`."""
    weights = np.linalg.solve((1 - noise) * _kernel(x, x, lengths) + noise * np.eye(len(x)), z)
    return np.asarray((1 - noise) * _kernel(at, x, lengths) @ weights)
