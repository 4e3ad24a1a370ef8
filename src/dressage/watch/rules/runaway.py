"""What the losses alone say where no copy can be run: a loss that has no lowest value, and steps that throw the training out."""

from __future__ import annotations

import math
from statistics import fmean

from dressage.findings import Finding
from dressage.watch.rules.symptoms import update_ratio
from dressage.watch.telemetry import Telemetry

LONG = 100
"""Losses from which it is told that their fall does not end."""
DEEP = 1000.0
"""Times the size of the first losses, and times 1, that a loss lies below 0: a log-likelihood or a margin does not come there."""
THROWN, AT_ONCE = 100.0, 10
"""Times the first loss that one of the next few is."""
LARGE, LEFT = 0.1, 0.1
"""Update/weight that speaks of steps that are too large; share of the first loss that is left, below which no harm was done."""


def falls_without_end(seen: Telemetry) -> list[Finding]:
    """Far below 0, and falling faster than before: what is minimised has no lowest value."""
    losses = [x for x in seen.losses if math.isfinite(x)]
    if len(losses) < LONG:
        return []
    third, first = len(losses) // 3, fmean(losses[:5])
    early, middle, late = (fmean(losses[i * third : (i + 1) * third]) for i in range(3))
    if not (late < -DEEP * max(1.0, abs(first)) and middle - late >= early - middle > 0):
        return []
    return [
        Finding(
            "loss.wrong_sign",
            "critical",
            "loss",
            f"the loss was {first:.4g} at first, {middle:.4g} in the middle third and {late:.4g} in the last of {seen.step} steps: "
            "far below 0 and falling faster than before",
            "what is minimised has no lowest value: its sign is the wrong way round, or nothing holds it from below",
            "minimise the negative of what should be large, e.g. −log p",
            step=seen.step,
            confidence=0.8,
            code="loss = -log_likelihood.mean()",
            numbers={"first": first, "last": late},
        )
    ]


def thrown_out(seen: Telemetry) -> list[Finding]:
    """The first updates threw the loss out by far, they went on to be large beside the weights, and it has not come far since."""
    if len(seen.losses) < LONG:
        return []
    first, worst, last = seen.losses[0], max(seen.losses[1:AT_ONCE]), fmean(seen.recent())
    ratio = update_ratio(seen)
    if not (worst > THROWN * first > 0 and ratio > LARGE and last > LEFT * first):
        return []
    rate = max((p.rate for p in seen.probes), default=0.0)
    return [
        Finding(
            "optim.lr_too_high",
            "warning",
            "optimiser",
            f"the loss went from {first:.3g} to {worst:.3g} within {AT_ONCE} steps and is {last:.3g} after {seen.step}; updates "
            f"change the weights by {ratio:.2g} of their size, in good trainings by 2e-3 to 1e-2",
            "the steps are so large that the first ones undo the first weights, and what follows overshoots",
            "lower the learning rate to about a tenth or less",
            {"optim.lr": float(f"{rate / 10:.2g}")},
            step=seen.step,
            code=f"lr={rate / 10:.2g}",
            confidence=0.7,
            numbers={"first": first, "worst": worst, "last": last, "ratio": ratio},
        )
    ]
