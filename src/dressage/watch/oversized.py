"""A loss that stays far above that of outputs that say nothing, because the inputs are far from size 1: told on few rows too."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean

from dressage.findings import Finding
from dressage.preflight.data_scale import scale_of, standardised
from dressage.preflight.first_loss import neutral_loss
from dressage.preflight.given import given, outputs_given
from dressage.subject import advance
from dressage.subject.features import shares_a_scale
from dressage.subject.inputs import keeps_numbers
from dressage.watch.case import Case

STEPS = 100
"""Updates after which a loss should have come down to that of a guess, and for which copies go on."""
TIMES = 3.0
"""The loss of outputs that say nothing: a network that has learned anything has less."""
ROWS = 256


def oversized(case: Case) -> list[Finding]:
    """The loss is still far above a guess's, and so it is of a copy; of one given standardised inputs it is not, from the start.

    Of classes only: there a guess costs log C or the like, whatever the data.
    """
    rows, lab = case.subject.train, case.lab(start=True)
    is_asked = case.subject.task in ("classification", "binary", "multilabel") and case.is_faithful
    if lab is None or rows is None or case.start is None or not is_asked or case.telemetry.step < STEPS:
        return []
    scale = None if keeps_numbers(lab.model) else scale_of(rows.x)
    if scale is None or not scale.is_off or not bool(rows.x.isfinite().all()):
        return []
    seen = given(replace(case.subject, model=case.start[0]), ROWS)
    guess, told = neutral_loss(seen, outputs_given(seen)), fmean(case.telemetry.recent())
    if not min(told, case.now()[0]) > TIMES * guess > 0:
        return []
    other = replace(lab, x=standardised(lab.x, shared=lab.x.ndim > 2 and shares_a_scale(lab.x)))
    mended = advance(other, STEPS, deadline=case.deadline(2))
    as_it_is = advance(lab, STEPS, deadline=case.deadline(2))
    if mended.diverged or not mended.steps == as_it_is.steps > STEPS // 4:
        return []
    reached = math.inf if as_it_is.diverged else as_it_is.after
    if not reached > TIMES * guess > guess > mended.after or not as_it_is.before > TIMES * guess > mended.before:
        return []
    return [
        Finding(
            "data.unscaled_inputs",
            "warning",
            "training inputs",
            f"after {case.telemetry.step} steps the loss is {told:.3g}, a guess's {guess:.3g}; inputs reach "
            f"{scale.largest:.3g}; from the first weights it goes from {as_it_is.before:.3g} to {reached:.3g} in {as_it_is.steps} "
            f"steps, with standardised inputs from {mended.before:.3g} to {mended.after:.3g}",
            "the inputs are not of size 1, so that the first outputs are far too large and it takes the training to undo that",
            "standardise each column of the inputs with mean and sd of the training rows, or begin the network with BatchNorm",
            step=case.telemetry.step,
            code="mean, sd = x_train.mean(0), x_train.std(0).clamp_min(1e-6); x = (x - mean) / sd",
            confidence=0.85,
            numbers={"loss": told, "guess": guess, "standardised": mended.metric},
        )
    ]
