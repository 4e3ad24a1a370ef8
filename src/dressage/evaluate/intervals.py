"""95 % intervals for metrics. All stay sensible at the ends: 30 of 30 right does not give the interval 1–1."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dressage.evaluate.format import Estimate

Floats = NDArray[np.float64]
Z = 1.959963984540054  # the 97.5 % point of the normal distribution
RESAMPLES = 2000
BLOCKS = 1000  # 16 MB of weights at 2,000 resamples; more blocks move the limits by less than the resampling does


def estimate(value: float, low: float = math.nan, high: float = math.nan) -> Estimate:
    """The three numbers as JSON can hold them: None for what is not finite."""
    return {"value": finite(value), "low": finite(low), "high": finite(high)}


def finite(value: float) -> float | None:
    """The number, or None if it is not finite."""
    return float(value) if math.isfinite(value) else None


def wilson(right: int, n: int) -> tuple[float, float]:
    """Score interval of a proportion `right / n` (Wilson 1927, J. Am. Stat. Assoc. 22); NaN for n = 0."""
    if n <= 0:
        return math.nan, math.nan
    share = right / n
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return max(0.0, middle - half) if right else 0.0, min(1.0, middle + half) if right < n else 1.0


def mean_of_proportions(right: Floats, n: Floats) -> tuple[float, float]:
    """Interval of the unweighted mean of independent proportions `right / n`, each `(C,)`, n > 0.

    Combines the Wilson limits of the parts by recovering a variance from each (Zou & Donner 2008, Stat. Med. 27).
    """
    shares = right / n
    limits = np.array([wilson(int(k), int(m)) for k, m in zip(right, n, strict=True)])
    down = math.sqrt(float(np.sum((shares - limits[:, 0]) ** 2))) / len(n)
    up = math.sqrt(float(np.sum((limits[:, 1] - shares) ** 2))) / len(n)
    mean = float(shares.mean())
    return max(0.0, mean - down), min(1.0, mean + up)


def logit_interval(value: float, variance: float) -> tuple[float, float]:
    """Normal interval of a proportion-like value in (0, 1) on the logit scale, so that it stays inside."""
    spread = Z * math.sqrt(variance) / (value * (1 - value))
    odds = math.log(value / (1 - value))
    return 1 / (1 + math.exp(min(700.0, spread - odds))), 1 / (1 + math.exp(max(-700.0, -spread - odds)))


def auc_interval(auc: float, positive: int, negative: int) -> tuple[float, float]:
    """Score interval of an area under the ROC curve (Newcombe 2006, Stat. Med. 25:559, method 5).

    The limits are the areas t with (auc − t)² = z² t(1 − t)(1 + k(1 − t)/(2 − t) + k t/(1 + t)) / (positive · negative)
    where k = (positive + negative)/2 − 1.
    """
    k = (positive + negative) / 2 - 1

    def outside(t: float) -> bool:
        variance = t * (1 - t) * (1 + k * (1 - t) / (2 - t) + k * t / (1 + t)) / (positive * negative)
        return (auc - t) ** 2 > Z * Z * variance

    def search(end: float) -> float:
        far, near = end, auc
        for _ in range(60):  # bisection: 2^-60 is below the spacing of doubles
            middle = (far + near) / 2
            far, near = (middle, near) if outside(middle) else (far, middle)
        return near

    return search(0.0), search(1.0)


def bootstrap(terms: Floats, statistic: Callable[[Floats], Floats], seed: int) -> tuple[float, float]:
    """Percentile bootstrap of a statistic that depends on the rows by their sums alone (Efron 1979, Ann. Stat. 7).

    `terms (N, K)`: what each row adds to each sum; `statistic` maps means `(B, K)` to values `(B,)`. The draws are
    keyed by the seed and touch no other generator. Above 1,000 rows, random blocks of rows are resampled in place of
    rows: sums of blocks have the same variance, and the cost stops growing with N. Fewer than 2 rows give NaN.
    """
    n = len(terms)
    if n < 2:
        return math.nan, math.nan
    draw = np.random.Generator(np.random.Philox(key=np.array([seed, 0x626F6F74], dtype=np.uint64)))
    if n > BLOCKS:
        order = draw.permutation(n)
        sums = np.add.reduceat(terms[order], np.arange(BLOCKS) * n // BLOCKS, axis=0)
    else:
        sums = terms
    m = len(sums)
    picks = draw.integers(0, m, size=(RESAMPLES, m)) + m * np.arange(RESAMPLES)[:, None]
    weights = np.bincount(picks.ravel(), minlength=RESAMPLES * m).reshape(RESAMPLES, m).astype(np.float64)
    with np.errstate(all="ignore"):
        values = statistic(weights @ sums / n)
    values = values[np.isfinite(values)]
    if len(values) < RESAMPLES // 2:
        return math.nan, math.nan
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
