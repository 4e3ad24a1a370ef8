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
ORDERS = 4  # of the data, the same for each rate, so that the rate alone makes the difference
RUNGS = 8  # up or down, a factor of two each
CLEAR = 0.02  # of the fall, by which an end may lie above the lowest and count as nearly as low
AWAY = 2 * math.sqrt(2)  # times lower than one that is lost: a training is longer than what is tried out
LAST = 5  # of so many parts of a training the last one is its end


@dataclass(frozen=True, slots=True)
class Tried:
    """Trainings in miniature at one rate."""

    rate: float
    end: float
    """Mean change of the loss at their ends; infinite where one was lost."""
    steps: int


def climb(training: Training, rate: float, orders: int, tick: Callable[[], None]) -> list[Tried]:
    """Trainings at `rate` and at twice the last one as long as that ends lower; at halves while the first is lost.

    Where a doubled rate is lost, the one half a rung below it is tried too.
    """
    tried = [try_out(training, rate, orders, tick)]
    while math.isinf(tried[-1].end) and len(tried) < RUNGS:
        tried.append(try_out(training, tried[-1].rate / 2, orders, tick))
    if len(tried) > 1:
        return tried
    while len(tried) < RUNGS:
        tried.append(try_out(training, 2 * tried[-1].rate, orders, tick))
        if math.isinf(tried[-1].end):
            return [*tried, try_out(training, tried[-1].rate / math.sqrt(2), orders, tick)]
        if not tried[-1].end < tried[-2].end:
            break
    return tried


def chosen(tried: list[Tried]) -> float | None:
    """Midway between the first rate and the lowest that ends nearly as low as the best; well below one that is lost.

    Nearly: `CLEAR` of the fall above it. It is read between the rungs, and the geometric mean taken of what the sweep and what
    the trainings in miniature say: where rungs end alike, and noise says which is the best, it moves little. A first rate that
    is lost says nothing. None: all were lost.
    """
    held = sorted((t for t in tried if math.isfinite(t.end)), key=lambda t: t.rate)
    lost = min((t.rate for t in tried if math.isinf(t.end)), default=math.inf)
    if not held:
        return None
    lowest = min(t.end for t in held)
    rate = min(_reached(held, lowest + CLEAR * abs(lowest)), lost / AWAY)
    return math.sqrt(tried[0].rate * rate) if math.isfinite(tried[0].end) else rate


def _reached(held: list[Tried], height: float) -> float:
    """The rate at which the ends, between two rungs a straight line over the logarithm of the rate, first lie so low."""
    after = next(i for i, t in enumerate(held) if t.end <= height)
    if after == 0:
        return held[0].rate
    low, high = held[after - 1], held[after]
    return float(low.rate * (high.rate / low.rate) ** ((low.end - height) / (low.end - high.end)))


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
