"""A loss of the loop's own that has no least value: the further outputs go the way they have gone, the lower it is."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import fmean

import torch

from dressage.findings import Finding
from dressage.subject import generators_kept
from dressage.watch.case import Case

FURTHER, TIMES = 4.0, 3
"""Times as far that outputs are put, so many times one after the other."""
LOWER = 3.0
"""Times as far below 0 that the loss has to be each time: a density or a margin turns round, or comes to an end."""
LONG = 100
"""Losses from which it is told that they have fallen."""


def floorless(case: Case) -> list[Finding]:
    """Log-likelihoods and the like that are minimised: below 0, falling, and without end where outputs go on as they went.

    Not where what the outputs are compared with lies on both sides of 0: of a game it says how good a move was, and the
    loss is no cost.
    """
    below, losses = case.own.below, case.telemetry.losses
    if below is None or len(losses) < LONG or not fmean(losses[-LONG // 2 :]) < min(0.0, fmean(losses[:5])):
        return []
    loss, z, y = below
    if not loss.compares or any(bool((t < 0).any()) for t in loss.rows_of(y)):
        return []
    with torch.no_grad(), generators_kept():
        costs = [float(loss(FURTHER**k * z, y)) for k in range(TIMES + 1)]
    if not all(math.isfinite(c) for c in costs) or not costs[0] < 0:
        return []
    if not all(b < LOWER * a for a, b in pairwise(costs)):
        return []
    return [
        Finding(
            "loss.wrong_sign",
            "critical",
            "loss",
            f"the loss fell from {fmean(losses[:5]):.4g} to {fmean(losses[-5:]):.4g} in {case.telemetry.step} steps, and it has "
            f"no least value: with outputs {FURTHER:g}, {FURTHER**2:g} and {FURTHER**3:g} times as far it is "
            f"{costs[1]:.4g}, {costs[2]:.4g} and {costs[3]:.4g}",
            "what should be large is made small: the sign of the loss is the wrong way round",
            "minimise the negative of what should be large, e.g. −log p",
            step=case.telemetry.step,
            code="loss = -log_likelihood.mean()",
            confidence=0.85,
            numbers={"loss": costs[0], "further": costs[-1]},
        )
    ]
