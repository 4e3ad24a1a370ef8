"""How much each setting mattered: by a forest that was fitted to the trials, with the uncertainty that so few trials leave.

A forest learns the order of the scores from the settings; a setting matters as far as its predictions get worse when the values
of that setting are exchanged between trials. Breiman 2001 (forests, permutation); Hutter, Hoos & Leyton-Brown 2014 (settings).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dressage.augment.draw import key
from dressage.search.edits import Point, point_of
from dressage.search.ranges import Range
from dressage.search.space import Space
from dressage.search.trial import Result

Floats = NDArray[np.float64]
Predict = Callable[[Floats], Floats]
TELLING = 0.1
"""R² on trials that they had not seen, below which forests tell nothing."""
FEWEST = 12
"""Trials, and 4 for each setting, below which a forest has nothing to learn from."""
A_SETTING = 4
MOST = 500
"""Trials that forests are fitted to; of more they are drawn by chance: seconds instead of minutes, and as sure."""
DRAWS = 40
"""Bootstrap samples, of which each has a forest of its own."""
TREES = 25
SHUFFLES = 5
NOT_SEARCHED = -1.0
"""In the place of a value that a condition left out: outside of [0, 1], so that a tree can part it from all others."""


@dataclass(frozen=True, slots=True)
class Weight:
    """What a setting counts: its total share of the variance of the order, with a 95 % interval of the bootstrap."""

    path: str
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Importance:
    """The settings, the most important first; none where nothing can be told, and `said` why."""

    weights: tuple[Weight, ...]
    explained: float
    """R² of the forests on trials that they had not seen; NaN where none was fitted."""
    trials: int
    said: str

    @property
    def tells(self) -> bool:
        """Whether the forests learned something."""
        return bool(self.weights) and self.explained >= TELLING

    @property
    def paths(self) -> list[str]:
        """The settings in order."""
        return [weight.path for weight in self.weights]


def importance(space: Space, results: Sequence[Result], seed: int = 0) -> Importance:
    """What each setting of one stage counted for the order of its trials.

    For each of 40 bootstrap samples a forest is fitted to it and asked about the trials that it left out: with z the order of the
    scores and f the forest, share = (E(z − f(x with the setting shuffled))² − E(z − f(x))²) / (2 var z), the total effect of
    Sobol' if f is right. A trial that was stopped counts as the worst; one that failed is left out.
    """
    used = [result for result in results if result.counts or result.state == "stopped"]
    least = max(FEWEST, A_SETTING * len(space))
    if len(used) < least:
        return Importance(
            (), math.nan, len(used), f"{len(used)} trials are too few to tell what mattered: {least} are needed."
        )
    if len(used) > MOST:
        used = [used[i] for i in np.random.default_rng(key(seed, "thinned")).permutation(len(used))[:MOST]]
    z = order(used)
    if len(np.unique(z)) < 2:
        return Importance((), math.nan, len(used), "all trials came out alike: nothing mattered.")
    x, columns = inputs(space, [point_of(space, result.trial.edit) for result in used])
    shares, explained = _bootstrap(x, z, columns, seed)
    shares = np.minimum(shares, 1.0)  # no share is above the whole: what is measured beyond it is noise of few trials
    low, high = np.quantile(shares, [0.025, 0.975], axis=0)
    weights = [Weight(path, *map(float, w)) for path, *w in zip(columns, shares.mean(0), low, high, strict=True)]
    weights.sort(key=lambda weight: -weight.share)
    return Importance(tuple(weights), explained, len(used), _said(weights, explained, len(used)))


def order(results: Sequence[Result]) -> Floats:
    """`(N,)`: rank of each trial from 0, the worst, to 1; by the rung that it reached, then by its score."""
    places = [(r.reach, r.score) if r.counts else (-1, -math.inf) for r in results]
    level = {place: i for i, place in enumerate(sorted(set(places)))}
    which = np.array([level[place] for place in places])
    counts = np.bincount(which)
    middle = counts.cumsum() - (counts + 1) / 2  # equals share their places
    return np.asarray(middle[which] / max(1, len(results) - 1))


def inputs(space: Space, points: Sequence[Point]) -> tuple[Floats, dict[str, list[int]]]:
    """`(N, K)`: each setting on its own scale in [0, 1], a choice as a column for each of its values; and its columns by path."""
    columns: dict[str, list[int]] = {}
    parts: list[Floats] = []
    for path, range_ in space.items():
        part = np.array([_row(range_, point, path) for point in points])
        first = sum(p.shape[1] for p in parts)
        columns[path] = list(range(first, first + part.shape[1]))
        parts.append(part)
    return np.concatenate(parts, 1), columns


def permuted_shares(
    predict: Predict, x: Floats, z: Floats, columns: Mapping[str, list[int]], draw: np.random.Generator
) -> Floats:
    """`(settings,)`: the share of each, its columns shuffled together, the mean over 5 shuffles."""
    tables = [x]
    for own in columns.values():
        for _ in range(SHUFFLES):
            shuffled = x.copy()
            shuffled[:, own] = x[draw.permutation(len(x))][:, own]
            tables.append(shuffled)
    said = predict(np.concatenate(tables)).reshape(len(tables), len(z))  # one call: each costs as much as its rows
    wrong = ((z - said) ** 2).mean(1)
    after = wrong[1:].reshape(len(columns), SHUFFLES).mean(1)
    return np.asarray((after - wrong[0]) / (2 * z.var()))


def _bootstrap(x: Floats, z: Floats, columns: Mapping[str, list[int]], seed: int) -> tuple[Floats, float]:
    """`(draws, settings)` of shares, and R² over all trials that a forest had not seen."""
    from sklearn.ensemble import RandomForestRegressor

    draw = np.random.default_rng(key(seed, "importance"))
    shares, wrong, spread = [], 0.0, 0.0
    for i in range(DRAWS):
        drawn = draw.integers(0, len(z), len(z))
        left = np.setdiff1d(np.arange(len(z)), drawn)
        if len(left) < 3 or z[left].var() == 0:
            continue
        # The trials are drawn anew already: its trees differ by the settings that they look at.
        forest = RandomForestRegressor(
            TREES, bootstrap=False, max_features=0.7, random_state=key(seed, "forest", i) % 2**32
        )
        forest.fit(x[drawn], z[drawn])
        shares.append(permuted_shares(forest.predict, x[left], z[left], columns, draw))
        wrong += float(((z[left] - forest.predict(x[left])) ** 2).sum())
        spread += float(((z[left] - z[drawn].mean()) ** 2).sum())
    return np.array(shares), 1 - wrong / spread


def _row(range_: Range, point: Point, path: str) -> list[float]:
    if range_.is_choice:
        return [float(point.get(path) == value) for value in range_.choices]
    return [range_.unit(point[path]) if path in point else NOT_SEARCHED]


def _said(weights: Sequence[Weight], explained: float, trials: int) -> str:
    seen = f"A forest fitted to {trials} trials explains {max(0.0, explained):.0%} of the order of those that it had not seen"
    if explained < TELLING:
        return f"{seen}: too little to tell what mattered."
    sure = [weight.path for weight in weights if weight.low > 0]
    if not sure:
        return f"{seen}, but of no setting is it sure that it mattered."
    rest = [weight.path for weight in weights if weight.low <= 0]
    noise = f"; of {', '.join(rest)} it cannot be told from nothing" if rest else ""
    return f"{seen}. What mattered: {', '.join(sure)}{noise}."
