"""A rate that is too low, by validation rows: a part of the steps at ten times the rate brings what as many as it is do not."""

from __future__ import annotations

import math

from dressage.findings import Finding
from dressage.subject import Outcome
from dressage.watch.case import Case
from dressage.watch.changes import CHANGES
from dressage.watch.ending import gone_on_with
from dressage.watch.weighted import is_weighted

TOO_LOW = "optim.lr_too_low"
PART, LEAST, MOST = 3, 30, 400
"""The part of the steps that are gone on for: one of so many, and these at least and at most."""
LEFT = 0.2
"""Share of the first loss that is left where there is much to learn."""
POINTS, OWN = 0.05, 0.5
"""Of the validation metric, that the higher rate has to gain, and the share of it that going on as it is may gain."""
SURE = 3.0
"""Standard errors of a share that the gain has to be beyond."""


def learns_slowly(case: Case) -> list[Finding]:
    """Much of the loss is left at a rate that was never lowered, and a short copy at ten times the rate does much better."""
    seen = case.telemetry
    rates = [rate for _, rate in seen.rates]
    if not rates or min(rates) < 0.5 * max(rates) or not case.now()[0] > LEFT * seen.first() > 0:
        return []
    lab = case.lab(start=False)
    if lab is None or is_weighted(case, lab):
        return []  # a loss that weighs its classes gives right answers away on purpose
    steps = min(MOST, max(LEAST, seen.step // PART))
    change = next(c for c in CHANGES if c.id == TOO_LOW)
    higher = gone_on_with(case, "tenfold", change.edit, steps)
    as_it_is = gone_on_with(case, "the same", lambda lab: lab, steps)
    if higher is None or as_it_is is None or not _is_far_ahead(case, higher, as_it_is):
        return []
    rate = rates[-1]
    return [
        Finding(
            TOO_LOW,
            "warning",
            change.where,
            f"after {seen.step} steps the loss is {case.now()[0]:.3g}, at first {seen.first():.3g}; {higher.steps} more at "
            f"{change.name} bring the validation metric from {higher.metric_before:.3f} to {higher.metric:.3f}, as many as it is "
            f"to {as_it_is.metric:.3f}",
            change.cause,
            change.remedy,
            {"optim.lr": float(f"{10 * rate:.2g}")},
            step=seen.step,
            code=f"lr={10 * rate:.2g}",
            confidence=0.8,
            numbers={
                "before": higher.metric_before,
                "higher": higher.metric,
                "as_it_is": as_it_is.metric,
                "rate": rate,
            },
        )
    ]


def _is_far_ahead(case: Case, higher: Outcome, as_it_is: Outcome) -> bool:
    rows = case.subject.validation
    if rows is None or higher.diverged or math.isnan(higher.metric) or math.isnan(as_it_is.metric):
        return False
    gain, own = higher.metric - higher.metric_before, as_it_is.metric - as_it_is.metric_before
    error = 0.5 / math.sqrt(len(rows))  # of a share, at its largest; nearly that of R² too
    return gain > max(POINTS, SURE * error) and own < OWN * gain
