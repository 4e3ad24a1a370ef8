"""What a sweep says: where the loss falls, where it begins to rise, and the rate between them that is suggested."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dressage.rates.sweep import Curve, Floats

WIDTH = 0.3  # decades of the rate that losses are averaged over: one standard deviation to either side
CEILING = 0.5  # of the first loss: what lies higher above it is all the same
MOSTLY = 0.8  # share of the fall that is nearly all of it
RISEN = 0.3  # share of the fall that has to be lost again before the loss counts as rising
SURE = 5.0  # standard errors that the fall has to exceed: the lowest of many places is chosen,
LEAST = 0.005  # and share of the first loss


@dataclass(frozen=True, slots=True)
class Reading:
    """The marks of one curve, as learning rates, and the rate that follows from them."""

    falls: float
    """Where half of the fall is done: a steadier mark of the steepest descent than the slope itself."""
    mostly: float
    """Where `MOSTLY` of it is done."""
    lowest: float
    """Where the smoothed loss is lowest: too high to train at."""
    rises: float
    """Where it has risen again by `RISEN` of the fall; the highest rate tried where it has not."""
    share: float
    """How far it fell, as a share of the first loss."""
    rate: float
    """The suggestion."""


def read(curve: Curve, sure: float = SURE) -> Reading | None:
    """The marks of a curve; None where the loss does not fall by more than its noise, or is not finite at first."""
    if len(curve.rates) < 3 or not math.isfinite(curve.first):
        return None
    level = smooth(curve)
    bottom = int(level.argmin())
    fall = -float(level[bottom])
    if not fall > max(LEAST * abs(curve.first), sure * _error(curve, level, bottom)):
        return None
    falls, mostly = (_reached(curve, level, -share * fall) for share in (0.5, MOSTLY))
    again = np.nonzero(level[bottom:] > level[bottom] + RISEN * fall)[0]
    rises = float(curve.rates[bottom + int(again[0])] if len(again) else curve.rates[-1])
    lowest = float(curve.rates[bottom])
    share = fall / max(abs(curve.first), 1e-12)
    return Reading(falls, mostly, lowest, rises, share, suggested(falls, mostly, lowest, rises))


def suggested(falls: float, mostly: float, lowest: float, rises: float) -> float:
    """√(falls · rises); at most 3 times `mostly`, since some losses hardly rise, and always below the lowest.

    What it loses is measured in docs/range_test.md.
    """
    return min(math.sqrt(falls * rises), 3 * mostly, 0.9 * lowest)


def _reached(curve: Curve, level: Floats, height: float) -> float:
    """The rate at which the smoothed change first comes down to a height, between two steps by a straight line."""
    after = int(np.argmax(level <= height))
    if after == 0:
        return float(curve.rates[0])
    share = (level[after - 1] - height) / (level[after - 1] - level[after])
    return float(curve.rates[after - 1] * (curve.rates[after] / curve.rates[after - 1]) ** share)


def pooled(curves: Sequence[Curve]) -> Curve:
    """The mean of several curves over the same rates; what was lost early stays as high as a loss is counted."""
    longest = max(curves, key=lambda c: len(c.rates))
    first = float(np.mean([c.first for c in curves]))
    heights = [
        np.pad(_counted(c), (0, len(longest.rates) - len(c.rates)), constant_values=CEILING * abs(c.first))
        for c in curves
    ]
    return Curve(
        longest.rates, first + np.mean(heights, axis=0), np.full(len(longest.rates), first), all(c.lost for c in curves)
    )


def smooth(curve: Curve) -> Floats:
    """`(N,)`: the change of the loss, averaged with Gaussian weights over the logarithm of the rate; it lags behind nothing."""
    place = np.log10(curve.rates)
    weights = np.exp(-0.5 * ((place[:, None] - place[None, :]) / WIDTH) ** 2)
    smoothed: Floats = weights @ _counted(curve) / weights.sum(1)
    return smoothed


def _counted(curve: Curve) -> Floats:
    """`(N,)`: the change of the loss, up to the height above which all is the same."""
    change = np.nan_to_num(curve.change, nan=math.inf, posinf=math.inf, neginf=math.inf)
    return np.asarray(np.minimum(change, CEILING * abs(curve.first)))


def _error(curve: Curve, level: Floats, at: int) -> float:
    """Standard error of the smoothed change at a place: the spread around the curve there, over the losses that it averages."""
    near = np.abs(np.log10(curve.rates / curve.rates[at])) < 2 * WIDTH
    left = (_counted(curve) - level)[near]
    return float(left.std(ddof=1)) / math.sqrt(len(left)) if len(left) > 1 else math.inf
