"""Metrics of a regression, in the units of the target."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dressage.evaluate.format import Estimate
from dressage.evaluate.intervals import Floats, bootstrap, estimate


def scores(y: Floats, predicted: Floats, seed: int) -> dict[str, Estimate]:
    """R², RMSE and MAE of `predicted (N, T)` against `y (N, T)`, means over the targets, with bootstrapped intervals.

    R² = 1 − Σ(y − p)² / Σ(y − ȳ)² is not defined for fewer than two rows or a target that is constant in the part.
    """
    error = y - predicted
    if not len(y) or not np.isfinite(error).all():
        return {name: estimate(math.nan) for name in ("r2", "rmse", "mae")}
    t = y.shape[1]
    # R² does not change with an offset, and the sums of squares keep their digits without it. A constant has no spread,
    # though its mean may differ from it in the last bit.
    middle = np.where(np.ptp(y, axis=0) > 0, y - y.mean(0), 0.0)
    terms = np.concatenate([error**2, np.abs(error), middle, middle**2, np.ones((len(y), 1))], axis=1)

    def rmse(means: Floats) -> Floats:
        return _mean(np.sqrt(means[:, :t] / means[:, -1:]))

    def mae(means: Floats) -> Floats:
        return _mean(means[:, t : 2 * t] / means[:, -1:])

    def r2(means: Floats) -> Floats:
        square, first, second = (means[:, i : i + t] / means[:, -1:] for i in (0, 2 * t, 3 * t))
        spread = second - first**2
        # A resample that draws one value over and over has no spread: it says nothing about R².
        return _mean(1 - square / np.where(spread > 1e-12 * second.max(0), spread, np.nan))

    functions: dict[str, Callable[[Floats], Floats]] = {"r2": r2, "rmse": rmse, "mae": mae}
    whole = terms.mean(0, keepdims=True)
    with np.errstate(all="ignore"):
        return {name: estimate(float(f(whole)[0]), *bootstrap(terms, f, seed)) for name, f in functions.items()}


def _mean(values: Floats) -> Floats:
    return np.asarray(values.mean(axis=1), dtype=np.float64)
