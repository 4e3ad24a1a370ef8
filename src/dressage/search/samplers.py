"""Which points of a space are tried: at random, on a grid, by Sobol's sequence, or as Optuna proposes.

Nothing is streamed: a point is a function of (seed, stage, its number) and, for Optuna, of the results told so far. `gp` draws
as Sobol's sequence does; which of its points the later stages of a search take, `by_gp` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import torch

from dressage.augment.draw import key
from dressage.errors import RecipeError, nearest
from dressage.search.by_optuna import ask
from dressage.search.edits import Point, Told, is_searched
from dressage.search.ranges import Value
from dressage.search.space import Space

SAMPLERS = ("random", "grid", "sobol", "gp", "optuna")
MOST = 1_000_000


def sample(space: Space, sampler: str, n: int, seed: int, stage: int = 0, told: Told = ()) -> list[Point]:
    """`n` points, or as many as a grid of at most `n` has. Point i is the same whatever `n` is, but for a grid.

    Raises RecipeError for a sampler that does not exist and less than one trial; MissingPackage.
    """
    check_sampler(sampler)
    if not 1 <= n <= MOST:
        raise RecipeError.of("trials", f"{n:,} given", f"expected 1 to {MOST:,}", "e.g. --trials 20")
    if sampler == "optuna":
        return ask(space, n, key(seed, "search", stage, len(told)), told)
    if sampler == "grid":
        return _grid(space, n)
    units = _random(space, n, seed, stage) if sampler == "random" else _sobol(space, n, seed, stage)
    return [_point(space, {path: space[path].at(u) for path, u in row.items()}) for row in units]


def check_sampler(name: str) -> None:
    """Raises RecipeError unless there is such a sampler."""
    if name not in SAMPLERS:
        raise RecipeError.of(
            f"sampler {name[:60]!r}", "no such sampler", nearest(name, SAMPLERS), "e.g. --sampler random"
        )


def grid_counts(space: Space, n: int) -> dict[str, int]:
    """Values of each setting on a grid of at most `n` points: all of a choice, of numbers as evenly many as fit.

    Raises RecipeError where the choices alone make more.
    """
    counts = {path: len(range_.choices) if range_.is_choice else 1 for path, range_ in space.items()}
    if _points(counts) > n:
        found = f"{n} trials for {_points(counts)} combinations of choices"
        raise RecipeError.of(
            "grid", found, "expected at least one for each", "give more trials, or use --sampler random"
        )
    growing = [path for path in space if not space[path].is_choice]
    while growing:
        path = min(growing, key=counts.__getitem__)
        more = {**counts, path: counts[path] + 1}
        if _points(more) > n or len(space[path].values(more[path])) < more[path]:
            growing.remove(path)
        else:
            counts = more
    return counts


def _grid(space: Space, n: int) -> list[Point]:
    counts = grid_counts(space, n)
    rows = product(*(space[path].values(count) for path, count in counts.items()))
    points = [_point(space, dict(zip(space, row, strict=True))) for row in rows]
    return list({tuple(point.items()): point for point in points}.values())  # a condition makes some of them equal


def _random(space: Space, n: int, seed: int, stage: int) -> list[dict[str, float]]:
    """53 bits of a hash for each (seed, stage, number, path)."""
    return [{path: (key(seed, "search", stage, i, path) >> 10) * 2.0**-53 for path in space} for i in range(n)]


def _sobol(space: Space, n: int, seed: int, stage: int) -> list[dict[str, float]]:
    """Sobol's sequence, scrambled (Owen 1998; Joe & Kuo 2008) by a key of (seed, stage)."""
    engine = torch.quasirandom.SobolEngine(len(space), scramble=True, seed=key(seed, "sobol", stage))  # type: ignore[no-untyped-call]
    return [dict(zip(space, row, strict=True)) for row in engine.draw(n, dtype=torch.float64).tolist()]


def _point(space: Space, values: Mapping[str, Value]) -> Point:
    """The values that are searched at this place: those whose condition holds."""
    point: dict[str, Value] = {}
    for path, value in values.items():
        if is_searched(space, path, point):
            point[path] = value
    return point


def _points(counts: Mapping[str, int]) -> int:
    total = 1
    for count in counts.values():
        total *= count
    return total
