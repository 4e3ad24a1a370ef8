"""What a sweep says: where the loss falls, where it begins to rise, and the rate between them that is suggested."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dressage.rates.sweep import Curve, Floats

WIDTH = 0.12  # decades of the rate that losses are averaged over: one standard deviation to either side
CEILING = 0.5  # of the first loss: what lies higher above it is all the same
RISEN = 0.3  # share of the fall that has to be lost again before the loss counts as rising
SURE = 3.0  # standard errors that the fall has to exceed,
LEAST = 0.005  # and share of the first loss


@dataclass(frozen=True, slots=True)
class Reading:
    """The marks of one curve, as learning rates, and the rate that follows from them."""

    falls: float
    """Where half of the fall is done: a steadier mark of the steepest descent than the slope itself."""
    lowest: float
    """Where the smoothed loss is lowest: too high to train at."""
    rises: float
    """Where it has risen again by `RISEN` of the fall; the highest rate tried where it has not."""
    share: float
    """How far it fell, as a share of the first loss."""
    rate: float
    """The suggestion."""


def read(curve: Curve) -> Reading | None:
    """The marks of a curve; None where the loss does not fall by more than its noise, or is not finite at first."""
    if len(curve.rates) < 3 or not math.isfinite(curve.first):
        return None
    level = smooth(curve)
    bottom = int(level.argmin())
    fall = -float(level[bottom])
    if not fall > max(LEAST * abs(curve.first), SURE * _error(curve, level, bottom)):
        return None
    falls = float(curve.rates[int(np.argmax(level <= -0.5 * fall))])
    again = np.nonzero(level[bottom:] > level[bottom] + RISEN * fall)[0]
    rises = float(curve.rates[bottom + int(again[0])] if len(again) else curve.rates[-1])
    lowest = float(curve.rates[bottom])
    return Reading(falls, lowest, rises, fall / max(abs(curve.first), 1e-12), suggested(falls, lowest, rises))


def suggested(falls: float, lowest: float, rises: float) -> float:
    """√(falls · rises), but never more than half of where the loss is lowest."""
    return min(math.sqrt(falls * rises), 0.5 * lowest)


def smooth(curve: Curve) -> Floats:
    """`(N,)`: the change of the loss, averaged with Gaussian weights over the logarithm of the rate; it lags behind nothing."""
    place = np.log10(curve.rates)
    change = np.nan_to_num(curve.change, nan=math.inf, posinf=math.inf, neginf=math.inf)
    weights = np.exp(-0.5 * ((place[:, None] - place[None, :]) / WIDTH) ** 2)
    smoothed: Floats = weights @ np.minimum(change, CEILING * abs(curve.first)) / weights.sum(1)
    return smoothed


def _error(curve: Curve, level: Floats, at: int) -> float:
    """Standard error of the smoothed change at a place: the spread around the curve there, over the losses that it averages."""
    near = np.abs(np.log10(curve.rates / curve.rates[at])) < 2 * WIDTH
    left = (curve.change - level)[near]
    left = left[np.isfinite(left)]
    return float(left.std() / math.sqrt(max(1, len(left)))) if len(left) > 1 else math.inf
