"""A suggestion tried out: trainings in miniature at it, at twice it, at four times, until more does not help.

A rate that grows meets a network that is untrained; with warm-up, and a fall at the end, a training bears more. So the
recipe's own schedule is run through in a few steps, and the loss at its end is what counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dressage.rates.sweep import Curve, Training, sweep

STEPS = 60
ORDERS = 2  # of the data, the same for each rate, so that the rate alone makes the difference
RUNGS = 8  # up or down, a factor of two each
CLEAR = 0.02  # of the fall, by which the end has to be lower for a rate to be doubled
LAST = 5  # of so many parts of a training the last one is its end


@dataclass(frozen=True, slots=True)
class Tried:
    """Trainings in miniature at one rate."""

    rate: float
    end: float
    """Mean change of the loss at their ends; infinite where one was lost."""
    steps: int


def climb(training: Training, rate: float, orders: int, tick: Callable[[], None]) -> list[Tried]:
    """Trainings at `rate` and at twice the last one as long as that ends clearly lower; at halves while the first is lost."""
    tried = [try_out(training, rate, orders, tick)]
    while math.isinf(tried[-1].end) and len(tried) < RUNGS:
        tried.append(try_out(training, tried[-1].rate / 2, orders, tick))
    if len(tried) > 1:
        return tried
    while len(tried) < RUNGS:
        tried.append(try_out(training, 2 * tried[-1].rate, orders, tick))
        if not tried[-1].end < (1 + CLEAR) * tried[-2].end:
            break
    return tried


def chosen(tried: list[Tried]) -> float | None:
    """The last rate that ended clearly lower; half a rung below it where the next one was lost. None: all were lost."""
    down = len(tried) > 1 and tried[1].rate < tried[0].rate
    best = tried[-1] if down or len(tried) == 1 else tried[-2]
    if not down and len(tried) > 1 and tried[-1].end < (1 + CLEAR) * tried[-2].end:
        best = tried[-1]
    if math.isinf(best.end):
        return None
    is_close = any(math.isinf(t.end) and t.rate == 2 * best.rate for t in tried)
    return best.rate / math.sqrt(2) if is_close else best.rate


def try_out(training: Training, rate: float, orders: int, tick: Callable[[], None]) -> Tried:
    """Trainings of a few steps with the recipe's schedule, one for each order of the data."""
    factor = training.plan.factor
    shares = [factor(i * factor.total // STEPS) for i in range(STEPS)]
    curves = [sweep(training, [rate * share for share in shares], -order, tick) for order in range(1, orders + 1)]
    return Tried(rate, float(np.mean([_end(curve) for curve in curves])), sum(len(c.rates) for c in curves))


def _end(curve: Curve) -> float:
    if curve.lost:
        return math.inf
    return float(curve.change[-max(1, len(curve.change) // LAST) :].mean())
