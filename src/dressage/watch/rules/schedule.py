"""A rate that is gone for most of the training, told from the losses and the updates alone: where no copy can go on."""

from __future__ import annotations

import math
from statistics import median

import numpy as np
from numpy.typing import NDArray

from dressage.findings import Finding
from dressage.watch.telemetry import Probe, Telemetry

GONE = 1e-2
"""Share of the highest rate, and of the usual update, below which nothing is learned any more."""
MOST = 0.5
"""Share of the steps that are taken at such a rate: decays that are meant end there, and do not begin there."""
LEAST = 40
"""Steps before and after, from which it is told."""
SURE = 2.0
"""Standard errors of the slope."""
STILL = 0.25
"""Share of the whole fall that came with the second half of all rates: a training that has settled has hardly any there."""
MUCH = 0.5
"""Share of the first loss that is left."""


def rate_gone(seen: Telemetry) -> list[Finding]:
    """The rate and the updates are gone for most of the steps, and the loss was still falling, and high, when they went."""
    rates = seen.rates
    highest = max((rate for _, rate in rates), default=0.0)
    last = max((step for step, rate in rates if rate >= GONE * highest), default=0)
    after = [(step, rate) for step, rate in rates if step > last]
    alive, dead = [p for p in seen.probes if p.step <= last], [p for p in seen.probes if p.step > last]
    if highest <= 0 or not alive or not dead or not _stand_still(alive, dead):
        return []
    gone, rate = after[0]
    first, left, fall = fell_until(seen, gone)
    if not (left > MUCH * first > 0 and fall > STILL * (first - left) > 0):
        return []
    return [
        Finding(
            "optim.schedule_collapsed",
            "warning",
            "schedule",
            f"the rate fell from {highest:.3g} to {rate:.2g} by step {gone} of {seen.step}, and no weight has moved since; "
            f"until then the loss fell, from {first:.3g} on, and it has stayed at {left:.3g}",
            "the schedule had used up the learning rate long before the training was over",
            "step the schedule once an update (or once an epoch, as it was made for), or set its length to the whole training",
            step=gone,
            code="scheduler.step() beside optimizer.step(), T_max=updates of the whole training",
            confidence=0.8,
            numbers={"gone": float(gone), "fall": fall},
        )
    ]


def fell_until(seen: Telemetry, gone: int) -> tuple[float, float, float]:
    """The first losses' mean, that of those after step `gone`, and how far they fell at last until then; NaN of few of them."""
    live, still = seen.losses[: gone // seen.stride], seen.losses[gone // seen.stride :]
    if min(len(live), len(still)) < LEAST or seen.step - gone < MOST * seen.step:
        return math.nan, math.nan, math.nan
    return seen.first(5), float(np.mean(still)), _fall_at_last(np.asarray(live), _rates(seen, len(live)))


def _stand_still(alive: list[Probe], dead: list[Probe]) -> bool:
    """Whether the weights move no more either: other groups may have rates of their own."""
    moved, moves = ([max((w.ratio for w in p.weights), default=0.0) for p in some] for some in (alive, dead))
    return max(moves) < GONE * median(moved)


def _rates(seen: Telemetry, count: int) -> NDArray[np.float64]:
    """`(count,)` rate of each loss, between those that are known along a line."""
    steps, known = np.arange(count) * seen.stride + 1.0, seen.rates
    return np.asarray(np.interp(steps, [step for step, _ in known], [rate for _, rate in known]), np.float64)


def _fall_at_last(losses: NDArray[np.float64], rates: NDArray[np.float64]) -> float:
    """How far the loss fell over the second half of all rates, by the line over the last three quarters; 0 within its noise."""
    way = np.cumsum(rates) / rates.sum()
    kept = way > 0.25
    x, y = way[kept], losses[kept]
    if len(x) < LEAST // 2:
        return 0.0
    slope, height = np.polyfit(x, y, 1)
    spread = np.square(x - x.mean()).sum()
    error = np.sqrt(np.square(y - slope * x - height).sum() / (len(x) - 2) / max(spread, 1e-30))
    return float(-slope / 2) if -slope > SURE * error else 0.0
