"""A penalty that the loop adds to its loss by itself, seen by what the same training reaches without it."""

from __future__ import annotations

import math

from dressage.findings import Finding
from dressage.watch.case import Case
from dressage.watch.tournament import as_it_is

POINTS = 0.05
"""Of the training metric, by which a copy that is trained by the outputs' loss alone has to be ahead."""


def added_penalty(case: Case) -> list[Finding]:
    """What the loop adds to the loss holds the network back: a copy without it fits the training rows clearly better."""
    if not case.penalised or case.telemetry.nonfinite is not None:
        return []
    _, metric = case.now()
    reached = as_it_is(case, min(200, max(60, case.telemetry.step)))
    if reached is None or math.isnan(metric) or not reached.metric > metric + POINTS:
        return []
    return [
        Finding(
            "optim.over_regularised",
            "warning",
            "loss",
            f"{case.penalised}; a copy that is trained without what is added fits the training rows to {reached.metric:.3f} "
            f"after {reached.steps} steps, the network has {metric:.3f} after {case.telemetry.step}",
            "what the loop adds to the loss outweighs the loss itself",
            "make the penalty weaker, ten times to begin with",
            {"regularize.weight_decay": 1e-4},
            step=case.telemetry.step,
            code="loss = criterion(outputs, targets) + 0.1 * strength * penalty",
            confidence=0.85,
            numbers={"without": reached.metric, "with": metric},
        )
    ]
